import { RedisContainer } from '@testcontainers/redis'
import { getContainerRuntimeClient } from 'testcontainers'
import { answers, spawnRedisServer } from './redis-server.ts'

/** The Redis of a run. */
interface Found {
  readonly name: string
  /** Undefined where each worker has an emulator of its own. */
  readonly url: string | undefined
  stop(): Promise<void>
}

/** Opens one Redis for the whole run, in this order: TEST_REDIS_URL, a container, redis-server on the PATH, the emulator. */
export const findRedis = async (): Promise<Found> =>
  (await given()) ?? (await container()) ?? (await onPath()) ?? (await emulated())

async function given(): Promise<Found | undefined> {
  const url = process.env['TEST_REDIS_URL']
  if (!url) return undefined
  await answers(url)
  return { name: 'TEST_REDIS_URL', url, stop: async () => {} }
}

/** The image of the container. */
export const redisImage = 'redis:7.4'

async function container(): Promise<Found | undefined> {
  const engine = await Promise.race([
    getContainerRuntimeClient().catch(() => undefined),
    new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 3_000).unref()), // an engine behind a black hole
  ])
  if (!engine) return undefined
  const started = await new RedisContainer(redisImage).start()
  const stop = async (): Promise<void> => void (await started.stop())
  return { name: 'a container', url: started.getConnectionUrl(), stop }
}

async function onPath(): Promise<Found | undefined> {
  const server = await spawnRedisServer()
  return server && { name: 'redis-server', url: server.url, stop: async () => server[Symbol.asyncDispose]() }
}

async function emulated(): Promise<Found> {
  if (process.env['CI'] === 'true') throw new Error('CI needs a real Redis: install redis-server.')
  const name = 'an emulator in each worker; tests that need a real server are skipped'
  return { name, url: undefined, stop: async () => {} }
}
