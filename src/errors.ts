import { redactUrls } from './redact.ts'

/** Every code an OrdersError can carry. Test by code, never by message. */
export const errorCodes = {
  ORD_CONFIG: 'A variable has a value that cannot be used.',
  ORD_USAGE: 'A command was called with words it does not know.',
  ORD_LOCAL: 'A local stand-in could not be started or found.',
  ORD_MANIFEST: 'Redis was set up with other settings than this process has.',
  ORD_CHECK: 'Redis or SQS is not fit for orders: they would be lost or stand still.',
  ORD_PORT_TAKEN: 'The port is in use.',
  ORD_REDIS_UNREACHABLE: 'Redis does not answer.',
  ORD_REDIS_REFUSED: 'Redis does not take a connection as it is configured.',
  ORD_REDIS_REPLY: 'Redis replied with something unexpected.',
  ORD_NOT_DURABLE: 'Redis may still lose its last writes.',
  ORD_SQS: 'SQS does not answer or refuses.',
  ORD_BOOKS: 'A repair of the books would make them worse.',
  ORD_JOB: 'A job failed for good.',
  ORD_OUTPUT: 'Standard output cannot be written.',
  ORD_STUCK: 'A loop could not come up again.',
} as const

export type ErrorCode = keyof typeof errorCodes

/** A broken world, said in one plain sentence: what happened, what to do. Bad orders are values, not errors. */
export class OrdersError extends Error {
  override readonly name = 'OrdersError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/**
 * Returns the text of anything thrown. AggregateErrors (a refused connection to both localhost addresses) speak by their
 * first. An error of others is one line, without the passwords of URLs in it.
 */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return messageOf(error.errors[0])
  if (!(error instanceof Error)) return String(error)
  const key = error.message.startsWith('WRONGTYPE') && !isScript(error) ? keyOf(error) : undefined
  const message =
    error instanceof OrdersError ? error.message : redactUrls(error.message).replaceAll(/\s*[\r\n]+\s*/g, ' ')
  return key === undefined ? message || error.name : `${key} cannot be used: ${message}`
}

/** The key of a command that Redis refused: its message does not say it, ioredis keeps it beside. */
export function keyOf(error: Error): string | undefined {
  const { name = '', args = [] } = (error as { command?: { name?: string; args?: unknown[] } }).command ?? {}
  const words = args.map(String)
  if (/^(eval|fcall)/i.test(name)) return words[1] === '0' ? undefined : words[2] // the first of several
  if (withoutKey.test(name)) return undefined
  const at = /^(xinfo|xgroup|object|memory)$/i.test(name) ? 1 : words.findIndex((word) => /^streams$/i.test(word)) + 1
  return words[at]
}

const withoutKey = /^(scan|wait|waitaof|time|multi|exec|acl|config|cluster|command|select|info)$/i

const isScript = (error: Error): boolean =>
  /^(eval|fcall)/i.test((error as { command?: { name?: string } }).command?.name ?? '')
