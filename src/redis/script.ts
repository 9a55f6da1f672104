import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { messageOf, OrdersError } from '../errors.ts'
import type { RedisClient } from './client.ts'
import { wrongTypes, wrongTypeText } from './key-types.ts'
import { nameInScript } from './rights.ts'

export interface Script {
  readonly source: string
  readonly sha: string
}

/** Loads the `.lua` file beside its wrapper: `loadScript(import.meta.url)` in `commit.ts` reads `commit.lua`. */
export function loadScript(wrapperUrl: string): Script {
  const source = readFileSync(new URL(wrapperUrl.replace(/\.ts$/, '.lua')), 'utf8')
  return { source, sha: createHash('sha1').update(source).digest('hex') }
}

/**
 * Runs a script by its hash, and sends the script where Redis does not know the script (a restart, a failover, SCRIPT FLUSH).
 * Never in a pipeline: there the second try would come after the commands that follow.
 * @throws OrdersError ORD_REDIS_REPLY, beginning with ORDERS, where a key has another type: what Redis says does not name it
 */
export async function runScript(
  redis: RedisClient,
  script: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  try {
    return await run(redis, script, keys, args)
  } catch (error) {
    nameInScript(error, script.source)
    if (!messageOf(error).startsWith('WRONGTYPE')) throw error // or the script has named the key
    const wrong = await wrongTypes(redis, keys).catch(() => [])
    if (wrong.length === 0) throw error
    const [told, why] = [wrong.slice(0, mostNamed).map(wrongTypeText).join(', '), messageOf(error)]
    throw new OrdersError('ORD_REDIS_REPLY', `ORDERS ${told}, and cannot be used: ${why}`, { cause: error })
  }
}

/** Of keys of another type so many are named. */
const mostNamed = 3

async function run(
  redis: RedisClient,
  script: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  try {
    return await redis.evalsha(script.sha, keys.length, ...keys, ...args)
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
    return redis.eval(script.source, keys.length, ...keys, ...args)
  }
}
