import type { Redis } from 'ioredis'
import { keyOf } from '../errors.ts'
import { forbiddenReply, forbiddenSentence, isForbidden } from './errors.ts'

/** Lists the rights that each user needs. */
const document = 'docs/redis-rights.md'

/** Errors of these keep Redis' own text: ioredis and `refusalOf` match it. */
const keptCommands = ['info', 'select', 'client']

/**
 * Replaces the text of a refusal by a sentence that names user, command and key; Redis names neither user nor key. Done where
 * the reply arrives, so that logs, API problems, commands and failed BullMQ jobs all show the same text.
 */
export function nameForbidden(error: Error, user = 'default'): void {
  const { name = '' } = (error as { command?: { name?: string } }).command ?? {}
  if (!forbiddenReply.test(error.message) || keptCommands.includes(name.toLowerCase())) return
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

/** Names the command that a script calls by its line in the source, because Redis before 7.2 does not. */
export function nameInScript(error: unknown, source: string): void {
  if (!(error instanceof Error) || !forbiddenSentence.test(error.message)) return
  error.message = error.message.replace(new RegExp(`${inScript}(\\d+)`, 'i'), (_, line: string) => {
    const calls = source.split('\n')[Number(line) - 1] ?? ''
    const [, command] = /'([A-Z]{2,})'/.exec(calls) ?? []
    return command ?? `${inScript}${line}`
  })
}

/**
 * Returns a ready check that sends INFO before ioredis does. If the user has no right to INFO, the server counts as ready;
 * ioredis does the same, but writes a line to the console for each connection.
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
