import { binOf, newestEngines } from '../support/debian/engines.ts'

/** Prints a folder for the PATH whose `redis-server` is the newest Redis. CI runs all tests on it. */
const [redis] = newestEngines
if (redis) process.stdout.write(await binOf(redis))
