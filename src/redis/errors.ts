import { messageOf, OrdersError } from '../errors.ts'

/** Errors of ioredis and of sockets that have a name or a code of their own. */
const awayNames = new Set(['MaxRetriesPerRequestError', 'ClusterAllFailedError'])
const awayCodes = /^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)/
/** Other errors of ioredis have only their text. The reply codes are those of a cluster that lacks a slot. */
const awayTexts =
  /Command timed out|Connection is closed|max retries per request|ECONN|CLUSTERDOWN|TRYAGAIN|Cluster redirections|slots cache|startup nodes/

/** Returns whether Redis, or a part of its cluster, does not answer. */
export function doesNotAnswer(error: unknown): boolean {
  if (error instanceof OrdersError) return error.code === 'ORD_REDIS_UNREACHABLE'
  const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown }
  if (awayNames.has(String(name)) || (typeof code === 'string' && awayCodes.test(code))) return true
  return awayTexts.test(messageOf(error))
}

/** Returns whether Redis, or a part of its cluster, does not answer or takes no writes now. A later try may succeed. */
export const isAway = (error: unknown): boolean => doesNotAnswer(error) || refusalOfWrites(error) !== undefined

/** Returns whether a script found another number of partitions than its process has. */
export const isLayoutChanged = (error: unknown): boolean => error instanceof OrdersError && error.code === 'ORD_LAYOUT'

/** Returns whether Redis replied with an error whose code is this one, such as NOSCRIPT. */
export const hasReplyCode = (error: unknown, code: string): boolean =>
  error instanceof Error && (error.message === code || error.message.startsWith(`${code} `))

/** Returns whether a key has another type than a command needs. `messageOf` and scripts name the key before the code. */
export const isWrongType = (error: unknown): boolean => messageOf(error).includes('WRONGTYPE')

/** Returns whether a stream or its consumer group does not exist yet. */
export const isMissingStream = (error: unknown): boolean =>
  hasReplyCode(error, 'NOGROUP') || (error instanceof Error && error.message.includes('no such key'))

/** Returns whether a script failed on what it found in its keys. Otherwise Redis itself is in trouble. */
export const isScriptFault = (error: unknown): boolean => /^(WRONGTYPE|ORDERS)|user_script/.test(messageOf(error))

/** Returns whether Redis refused one command for its key, its arguments or the rights of its user. */
export function isRefused(error: unknown): boolean {
  if (error instanceof OrdersError) return error.code === 'ORD_REDIS_REPLY'
  return isForbidden(error) || (error instanceof Error && /^(ERR|ORDERS|WRONGTYPE)/.test(error.message))
}

/** Returns whether Redis answered, with an error. */
export const isErrorReply = (error: unknown): error is Error => error instanceof Error && error.name === 'ReplyError'

/** The beginning of the sentence with which `nameForbidden` replaces a refusal. */
export const forbiddenSentence = /^Redis does not let the user/
/** A refusal in Redis' own words. The last two are those of a command in a script, before 7.2 and in Redis 8 and Valkey. */
export const forbiddenReply =
  /^NOPERM\b|^EXECABORT .*NOPERM\b|The user executing the script can't|ACL failure in script/

/** Returns whether Redis refused a command because of the rights of its user. */
export const isForbidden = (error: unknown): boolean =>
  error instanceof Error && (forbiddenSentence.test(error.message) || forbiddenReply.test(error.message))

/** Returns undefined if the user has no right to the command. */
export const unlessForbidden = <T>(reply: Promise<T>): Promise<T | undefined> => unless(isForbidden, reply)

/** Returns undefined if Redis replies with an error: a missing right, a key of another type. */
export const unlessRefused = <T>(reply: Promise<T>): Promise<T | undefined> => unless(isErrorReply, reply)

async function unless<T>(expected: (error: unknown) => boolean, reply: Promise<T>): Promise<T | undefined> {
  try {
    return await reply
  } catch (error) {
    if (expected(error)) return undefined
    throw error
  }
}

/** Replies of a server that is not the master. UNBLOCKED also ends a blocking read whose stream is deleted. */
const notMaster = /^(READONLY|MASTERDOWN|LOADING)\b|^UNBLOCKED .*instance state/

/** Returns whether another connection may lead to the master. */
export const isNotMaster = (error: unknown): boolean => notMaster.test(messageOf(error))

/** Replies of a server that answers but takes no writes, each with its cause and the remedy. */
const refusals: readonly (readonly [RegExp, string])[] = [
  [/^READONLY\b|^UNBLOCKED .*instance state/, 'Redis is currently a replica and takes no writes: wait for a master.'],
  [/^MASTERDOWN\b/, 'Redis is a replica that has lost its master: wait for a master.'],
  [/^LOADING\b/, 'Redis is loading its data: wait until it is done.'],
  [
    /^NOREPLICAS\b/,
    'Redis has too few replicas and takes no writes: connect replicas, or lower min-replicas-to-write.',
  ],
  [
    /^MISCONF\b/,
    'Redis cannot save to its disk and takes no writes: free disk space; the log of Redis names the error.',
  ],
  [
    /^(WRONGPASS|NOAUTH)\b/,
    'Redis refuses the user or password: renew it in the file of REDIS_PASSWORD_FILE, or start again with the right REDIS_URL.',
  ],
  [/^OOM\b/, 'Redis is full and takes no writes: raise maxmemory.'],
]

/** Returns why Redis takes no writes now; undefined for every other error. */
export function refusalOfWrites(error: unknown): string | undefined {
  const message = messageOf(error)
  return refusals.find(([pattern]) => pattern.test(message))?.[1]
}

/** A failure of Redis, as users of the API and of a command read it. */
export interface Failure {
  readonly text: string
  /** True if a later try may succeed. */
  readonly passes: boolean
}

/** Explains a failure of Redis. Returns undefined for every other error. */
export function explainFailure(error: unknown): Failure | undefined {
  if (doesNotAnswer(error)) return { text: 'Redis does not answer: try again in a moment.', passes: true }
  const refused = refusalOfWrites(error)
  if (refused) return { text: refused, passes: true }
  if (isForbidden(error)) return { text: `${messageOf(error)}.`, passes: false }
  if (isLayoutChanged(error)) {
    return { text: 'Orders are being moved to other partitions: try again when that has ended.', passes: true }
  }
  if (isWrongType(error)) {
    const text = 'A key of the pipeline has another type in Redis: orders doctor names it and says what to do.'
    return { text, passes: false }
  }
  return undefined
}
