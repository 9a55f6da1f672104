import type { Redis } from 'ioredis'
import { openApi } from '../../src/api/server.ts'
import type { PartitionScope } from '../../src/app.ts'
import { readConfig } from '../../src/config/config.ts'
import { board } from '../../src/ops/jobs/board.ts'
import { appOn, type Env, emptyRedis } from './world.ts'

/** An API on an empty Redis. */
export interface TestApi extends AsyncDisposable {
  readonly url: string
  readonly redis: Redis
  readonly app: PartitionScope
  /** Every event since it was opened, as JSON. */
  readonly log: readonly string[]
}

/** Opens an API on an empty Redis, with Bull Board, as `orders start` has it. */
export async function openTestApi(env: Env = {}): Promise<TestApi> {
  await using stack = new AsyncDisposableStack()
  const { redis, url } = stack.use(await emptyRedis())
  const app = appOn(redis, readConfig({ REDIS_URL: url, API_PORT: '0', ...env }))
  const log: string[] = []
  app.telemetry.listen((event, fields) => log.push(JSON.stringify([event, fields])))
  const server = stack.use(await openApi(app, [board]))
  const opened = stack.move()
  return { url: server.url, redis, app, log, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}
