import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { z } from 'zod'
import { messageOf, OrdersError } from '../errors.ts'
import type { RedisClient } from './client.ts'
import { hasReplyCode, isWrongType } from './errors.ts'
import { wrongTypes, wrongTypeText } from './key-types.ts'
import { nameInScript } from './rights.ts'

/** ElastiCache Serverless refuses a request with more, its command included. */
export const maxArguments = 3_999

export interface Script {
  readonly source: string
  readonly sha: string
}

/** Runs a script with the names of its keys and its arguments, and returns its reply. */
export type ScriptCall<Reply> = (
  redis: RedisClient,
  keys: readonly string[],
  args: readonly (string | number)[],
) => Promise<Reply>

/**
 * Declares the script next to a wrapper: in `commit.ts`, `defineScript(import.meta.url, reply)` runs `commit.lua`.
 * @param reply what the script replies; the call throws OrdersError ORD_REDIS_REPLY for anything else
 */
export function defineScript<Schema extends z.ZodType>(
  wrapperUrl: string,
  reply: Schema,
): ScriptCall<z.output<Schema>> {
  const script = loadScript(wrapperUrl)
  return async (redis, keys, args) => {
    const parsed = reply.safeParse(await runScript(redis, script, keys, args))
    if (parsed.success) return parsed.data
    const message = `Redis replied to ${urlOf(wrapperUrl).pathname.split('/').at(-1)} in an unknown shape.`
    throw new OrdersError('ORD_REDIS_REPLY', message, { cause: parsed.error })
  }
}

const urlOf = (wrapperUrl: string): URL => new URL(wrapperUrl.replace(/\.ts$/, '.lua'))

/** A line that stands for the text of another file, whose path is relative to the script. */
const includes = /^-- include (\S+\.lua)$/gm

/** Loads the `.lua` file next to its wrapper: `loadScript(import.meta.url)` in `commit.ts` reads `commit.lua`. */
export function loadScript(wrapperUrl: string): Script {
  const url = urlOf(wrapperUrl)
  const read = (file: URL): string => readFileSync(file, 'utf8')
  const source = read(url).replace(includes, (_, path: string) => read(new URL(path, url)).trimEnd())
  return { source, sha: createHash('sha1').update(source).digest('hex') }
}

/**
 * Runs a script by its hash. Sends the source if Redis does not know it (a restart, a failover, SCRIPT FLUSH). Never in a
 * pipeline: there the second try would run after the commands that follow.
 * @throws OrdersError ORD_REDIS_REPLY, beginning with ORDERS, if a key has another type (Redis itself does not name it)
 * @throws OrdersError ORD_LAYOUT if the partitions have changed since this process started
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
    if (hasReplyCode(error, 'ORDLAYOUT')) throw layoutError(error)
    if (!isWrongType(error) || isNamed(error)) throw error
    const wrong = await wrongTypes(redis, keys).catch(() => [])
    if (wrong.length === 0) throw error
    const [what, why] = [wrong.slice(0, maxNamed).map(wrongTypeText).join(', '), messageOf(error)]
    throw new OrdersError('ORD_REDIS_REPLY', `ORDERS ${what}, and cannot be used: ${why}`, { cause: error })
  }
}

/** The script itself has named the key. */
const isNamed = (error: unknown): boolean => hasReplyCode(error, 'ORDERS')

/** The reply is `ORDLAYOUT`, the layout in Redis and that of the caller. */
function layoutError(error: unknown): OrdersError {
  const [, found, ours] = messageOf(error).split(' ')
  const message = `Redis has ${found} partitions now, but this process was started with ${ours}: set PARTITIONS=${found} and start it again.`
  return new OrdersError('ORD_LAYOUT', message, { cause: error })
}

/** The most keys of another type that a message names. */
const maxNamed = 3

async function run(
  redis: RedisClient,
  script: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  try {
    return await redis.evalsha(script.sha, keys.length, ...keys, ...args)
  } catch (error) {
    if (!hasReplyCode(error, 'NOSCRIPT')) throw error
    return redis.eval(script.source, keys.length, ...keys, ...args)
  }
}
