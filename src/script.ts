import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { RedisClient } from './redis.ts'

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
 * EVALSHA, and EVAL where Redis does not know the script (a restart, a failover, SCRIPT FLUSH).
 * Never in a pipeline: there the second try would come after the commands that follow.
 */
export async function runScript(
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
