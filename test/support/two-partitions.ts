import type { Redis } from 'ioredis'
import type { App } from '../../src/app.ts'
import { makeControlKeys, makePartitions } from '../../src/keys.ts'
import { partitionFor } from '../../src/partitions.ts'
import { appOn } from './world.ts'

export const partitions = makePartitions(2)
const control = makeControlKeys(partitions)

/** An app of two partitions, with the keys of one. */
export const scopeOf = (redis: Redis, keys: App['partitions'][number]) =>
  appOn(redis, undefined, { keys, partitions, control })

/** Two users of different partitions. */
export const [here, there] = partitions.map((keys) => {
  const users = Array.from({ length: 20 }, (_, at) => `user_${at}`)
  return users.find((userId) => partitionFor(partitions, userId) === keys)
}) as [string, string]
