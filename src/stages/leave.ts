import type { RedisClient } from '../redis.ts'
import { loadScript, runScript } from '../script.ts'
import type { Consumer } from './consume.ts'

const script = loadScript(import.meta.url)

/** Takes a consumer that ends off its group's list, unless it still holds entries (another one will claim them). */
export async function leaveGroup(redis: RedisClient, { stage, stream, name }: Consumer): Promise<void> {
  await runScript(redis, script, [stream], [stage.name, name])
}
