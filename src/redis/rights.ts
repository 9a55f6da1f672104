import type { Redis } from 'ioredis'
import { keyOf } from '../errors.ts'

/** Where it is said what each user needs. */
const document = 'docs/redis-rights.md'

const sentence = /^Redis does not let the user/

/** Whether Redis refused a command because of the rights of its user. */
export function isForbidden(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return sentence.test(error.message) || refusal.test(error.message)
}

/** What Redis says, from 7.2 on also of a script; before, of a script only the second. */
const refusal = /^NOPERM\b|^EXECABORT .*NOPERM\b|The user executing the script can't/

/** ioredis, and what says why a connection is refused, look at what Redis itself says of these. */
const asTheyAre = ['info', 'select', 'client']

/**
 * Puts a sentence that names user, command and key in place of what Redis says: its own names neither user nor key. It is
 * done where the reply comes in, so that a log line, an API's problem, a command and a failed job of BullMQ say the same.
 */
export function nameForbidden(error: Error, user = 'default'): void {
  const { name = '' } = (error as { command?: { name?: string } }).command ?? {}
  if (!refusal.test(error.message) || asTheyAre.includes(name.toLowerCase())) return
  const [, called] = /run the '(\S+)' command/.exec(error.message) ?? []
  const [, named] = /access the '(.*)' key/.exec(error.message) ?? []
  const [, line] = /user_script:(\d+)/.exec(error.message) ?? []
  const command = called ?? (line === undefined ? subcommand(name, error) : `${inScript}${line}`)
  const key = named ?? keyOf(error)
  const on = key === undefined ? '' : ` on ${key}`
  error.cause = new Error(error.message)
  error.message = `Redis does not let the user ${user} use ${command.toUpperCase()}${on}: give it the rights of ${document}`
}

function subcommand(name: string, error: Error): string {
  const { args = [] } = (error as { command?: { args?: unknown[] } }).command ?? {}
  return /^(xinfo|xgroup|acl|config|cluster|command)$/i.test(name) ? `${name} ${args[0]}` : name
}

const inScript = 'what its script calls in line '

/** Redis before 7.2 does not name a command that a script calls; its line does. */
export function nameInScript(error: unknown, source: string): void {
  if (!(error instanceof Error) || !sentence.test(error.message)) return
  error.message = error.message.replace(new RegExp(`${inScript}(\\d+)`, 'i'), (_, line: string) => {
    const calls = source.split('\n')[Number(line) - 1] ?? ''
    const [, command] = /'([A-Z]{2,})'/.exec(calls) ?? []
    return command ?? `${inScript}${line}`
  })
}

/** Undefined where the user may not ask that. */
export async function unlessForbidden<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (isForbidden(error)) return undefined
    throw error
  }
}

/** Undefined where Redis answers with an error: of its rights, of a key of another type. */
export async function unlessRefused<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof Error && error.name === 'ReplyError') return undefined
    throw error
  }
}

/**
 * Asks before ioredis does whether the server has loaded its data. Where its user may not ask, the server is ready; ioredis
 * holds the same, but writes a line to the console for each connection.
 */
export function readyCheck(redis: Redis): (done: (error: unknown, info?: object) => void) => void {
  const check: (done: (error: unknown, info?: object) => void) => void = Reflect.get(redis, '_readyCheck').bind(redis)
  return (done) => {
    redis.info('server').then(
      () => check(done),
      (error) => (isForbidden(error) ? done(null, {}) : done(error)),
    )
  }
}
