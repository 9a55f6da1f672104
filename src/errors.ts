import { redactUrls } from './redact.ts'

/** Explains what an error code means and how to fix it, for docs/reference/errors.md. */
export interface ErrorEntry {
  readonly cause: string
  readonly fix: string
  /** Exit code of a command that ends with this error; undefined where the signal decides. */
  readonly exitCode: keyof typeof exitCodes | undefined
  /** Says what happens next where a process that runs roles ends with it, and the alert whose section of the runbook goes on. */
  readonly next?: { readonly text: string; readonly alert: string }
}

/** Every exit code of a command, with its meaning. The shell adds the number of the signal to 128. */
export const exitCodes = {
  0: 'yes, or done',
  1: 'the answer is no, a variable has a bad value, or the command failed',
  2: 'wrong usage',
  3: 'Redis or SQS cannot be reached',
  129: 'interrupted: the terminal was closed (SIGHUP)',
  130: 'interrupted by Ctrl-C (SIGINT)',
  143: 'interrupted by SIGTERM',
} as const

const entry = (cause: string, fix: string, exitCode: ErrorEntry['exitCode'] = 1): ErrorEntry => ({
  cause,
  fix,
  exitCode,
})

/** Adds what happens next where a process that runs roles ends with the error. */
const ending = (given: ErrorEntry, text: string, alert: string): ErrorEntry => ({ ...given, next: { text, alert } })

/** Every code an OrdersError can carry. Test by code, never by message. */
export const errorCodes = {
  ORD_CONFIG: ending(
    entry(
      'A variable has a value that cannot be used.',
      'Correct the variables that the message names, in the environment or in `.env`.',
    ),
    'Each start ends in the same way until the value is corrected.',
    'OrdersRestarts',
  ),
  ORD_USAGE: entry(
    'A command was called with words it does not know, or when it cannot run.',
    'Follow the message. `orders <command> --help` lists the words and options.',
    2,
  ),
  ORD_LOCAL: entry(
    'A local emulator could not be started or found.',
    'Run `npm start`, stop the system that already runs, or set `DATA_DIR` to a writable folder.',
  ),
  ORD_MANIFEST: ending(
    entry(
      'Redis was set up with other settings than this process has, or its data is being moved.',
      'Start the process with the settings that the message names, or let the repartition or adoption end first.',
    ),
    'Each start is refused until the settings agree. Orders wait.',
    'OrdersRestarts',
  ),
  ORD_CHECK: ending(
    entry(
      'Redis or SQS is configured so that orders would be lost or stall.',
      'Change what each line of the message names. `orders doctor` runs the same checks again.',
    ),
    'Each start is refused until it is changed. Orders wait.',
    'OrdersRestarts',
  ),
  ORD_PORT_TAKEN: ending(
    entry(
      'The port is in use.',
      'Stop the program that listens there, or set `API_PORT` or `METRICS_PORT` to a free port.',
    ),
    'Each start ends in the same way until the port is free.',
    'OrdersRestarts',
  ),
  ORD_REDIS_UNREACHABLE: ending(
    entry(
      'Redis does not answer.',
      'Make sure that Redis runs and that `REDIS_URL`, or `REDIS_HOST` and `REDIS_PORT`, lead to it.',
      3,
    ),
    'A process that starts waits for Redis for `START_WAIT_MS`, and one that runs for a minute. Then it ends, and waits again after its next start. Orders wait in SQS.',
    'OrdersRedisAway',
  ),
  ORD_REDIS_REFUSED: ending(
    entry(
      'Redis refuses the connection as it is configured.',
      'Check the user, password, database, TLS and `REDIS_CLUSTER` of the connection. The message says which of them.',
      3,
    ),
    'Each start ends at once until the connection is accepted. Orders wait.',
    'OrdersRestarts',
  ),
  ORD_REDIS_REPLY: entry(
    'Redis sent an unexpected reply.',
    'Run the command again. If it happens again, check the version of Redis and the proxies in front of it.',
  ),
  ORD_LAYOUT: entry(
    'Redis has another number of partitions than this process.',
    'Start the process with the `PARTITIONS` that the message names.',
  ),
  ORD_NOT_DURABLE: entry(
    'Redis was restarted or failed over, and may have lost its last writes.',
    'Run the command again: it continues where it stopped.',
  ),
  ORD_SQS: ending(
    entry(
      'SQS does not answer or refuses, or there is no such queue.',
      'Check `AWS_ENDPOINT_URL`, the credentials, the region and the rights on the queue.',
      3,
    ),
    'Only a bridge ends with this, and only at its start: after `START_WAIT_MS` without an answer, or at once if SQS refuses. One that runs tries again each second. The other roles process what is in Redis.',
    'OrdersQueueStalled',
  ),
  ORD_DEAD_LETTERS: entry(
    'The queue of orders has no dead-letter queue.',
    'Give the queue a redrive policy that names one, as in docs/how-to/dead-letter-queue.md.',
  ),
  ORD_S3: entry(
    'S3 does not answer, so the object that a message points to cannot be read.',
    'Check the network, the credentials and `AWS_ENDPOINT_URL`, as docs/how-to/envelopes.md says, and try again.',
    3,
  ),
  ORD_BOOKS: entry(
    'The counters and the data in Redis contradict each other, orders still wait, or another program writes our keys. So a repair, a repartition or an adoption stops.',
    'Do what the message says. `orders verify --deep` lists each difference, `--repair` sets leaderboards and global stats by the totals of the users, and `--write-off` books lost orders.',
  ),
  ORD_ARCHIVE: entry(
    'The archive at `ARCHIVE_URL` cannot be read or written, or what it holds differs from its manifest.',
    'Do what the message says. `orders doctor` tries the archive, and `orders archive verify` lists each difference.',
  ),
  ORD_JOB: entry(
    'A job failed for good, still runs, is gone, or can no longer be cancelled.',
    'Retry a failed job in Bull Board at `/admin/queues`. Wait for one that runs. `orders jobs` lists those that there are.',
  ),
  ORD_UNDO: entry(
    'An undo or a redo cannot be made: there is no archive, its name is taken or unknown, or too many orders match.',
    'Follow the message. `orders undo list` lists the undos that there are.',
  ),
  ORD_UNKNOWN_USER: entry(
    'Nothing names the user that an erasure is asked for, and the user was not erased before.',
    'Check the id. `--unknown`, or over HTTP `?unknown=erase`, refuses its future messages all the same.',
  ),
  ORD_EDIT: entry(
    'An invalid order was not changed: it is gone, may not be changed, or what the editor left is no order.',
    'Follow the message. It names the file that keeps the text.',
  ),
  ORD_OUTPUT: entry(
    'Standard output cannot be written.',
    'Free space where the output is written, and run the command again.',
  ),
  ORD_STUCK: ending(
    entry(
      'A loop made no progress for a minute, so the process ends. If Redis was away meanwhile, it ends with `ORD_REDIS_UNREACHABLE`.',
      'Let the orchestrator restart the process. The message names the loop and its last failure.',
    ),
    'Another process claims what it had in flight after `CLAIM_IDLE_MS`. If its cause is still there, it ends again after a minute.',
    'OrdersLoopFailing',
  ),
  ORD_INTERRUPTED: {
    ...entry(
      'Ctrl-C or another signal ended a command that leaves something behind.',
      'The message says what is left, and what to type to continue or to undo it.',
    ),
    exitCode: undefined,
  },
} as const satisfies Readonly<Record<string, ErrorEntry>>

export type ErrorCode = keyof typeof errorCodes

interface OrdersErrorOptions extends ErrorOptions {
  readonly details?: Readonly<Record<string, string>>
}

/** An error whose message is one plain sentence: what happened, what to do. Bad orders are values, not errors. */
export class OrdersError extends Error {
  override readonly name = 'OrdersError'
  readonly code: ErrorCode
  /** Fields of the log line of a process that ends with this error. */
  readonly details: Readonly<Record<string, string>>

  constructor(code: ErrorCode, message: string, { details = {}, ...options }: OrdersErrorOptions = {}) {
    super(message, options)
    this.code = code
    this.details = details
  }
}

/**
 * Returns the message of anything thrown. An AggregateError (a refused connection to both localhost addresses) is reported by
 * its first error. A foreign error becomes one line, without passwords in URLs.
 */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return messageOf(error.errors[0])
  if (!(error instanceof Error)) return String(error)
  const key = error.message.startsWith('WRONGTYPE') && !isScript(error) ? keyOf(error) : undefined
  const message =
    error instanceof OrdersError ? error.message : redactUrls(error.message).replaceAll(/\s*[\r\n]+\s*/g, ' ')
  return key === undefined ? message || error.name : `${key} cannot be used: ${message}`
}

/** Returns the key of a command that Redis refused. Its message does not name it, but ioredis keeps the command. */
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
