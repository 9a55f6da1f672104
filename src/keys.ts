import type { RejectGroup } from './messages.ts'

/**
 * Every Redis key of a partition; no other file spells one. Without partitions names are bare; in partition 3 each begins
 * with the hash tag `{p3}:`, so that all keys of a partition share one slot of a Redis Cluster.
 */
export interface Keys {
  /** Undefined where names are bare. */
  readonly partition: number | undefined
  /** How many partitions there are, as text; `none` where names are bare. */
  readonly layout: string
  /** The layout since the last repartition: who writes by another one is refused. */
  readonly layoutKey: string
  /** Work streams: raw orders, admitted orders, counted users. */
  readonly stream: { readonly raw: string; readonly valid: string; readonly counted: string }
  /** Stream of every rejected record, and the list of the same, newest first. */
  readonly invalid: string
  readonly invalidOrders: string
  /** Sorted set of the ids of the rejected records of one group. */
  invalidGroup(group: RejectGroup): string
  /** Stream of rejected records that an operator gave up, with who and why. */
  readonly discarded: string
  /** Hash: what became of the orders that a job sent round again. */
  outcome(ticket: string): string
  readonly globalStats: string
  readonly leaderboardSpend: string
  readonly leaderboardOrders: string
  /** What a repair builds beside the leaderboards, to be put in their place in one step. */
  readonly rebuiltSpend: string
  readonly rebuiltOrders: string
  /** Hash of what was received, admitted, rejected, applied, ranked: the books. */
  readonly counters: string
  /** Stands for what is not there; nothing is ever written to it. */
  readonly nothing: string
  /** Hash: how many lines of the ledger were written in each generation, so that it is known how many must be there. */
  readonly remembered: string
  /** An id that is made once: another one means that the data of this partition was deleted or replaced (see look.lua). */
  readonly incarnation: string
  /** Written to after other writes, to find out whether Redis has them for good (see durable.ts). */
  readonly barrier: string
  /** Sorted set of the entries that a stage has committed and that are still in its stream, by the ms of their ids. */
  done(stage: string): string
  /** Up to where an onlooker has read the counted users: what comes after is not trimmed (see tail.ts). */
  readonly held: string
  userStats(userId: string): string
  /** Admitted orders of one generation (`LEDGER_DAYS` long) whose identity hashes to this bucket. */
  ledger(generation: number, bucket: number): string
  /** A key of a stage's own, for stages added to the line: `own('revenue', 'days')` is `revenue:days`. */
  own(stage: string, name: string): string
}

/** Keys of the whole, whatever the partitions; with partitions they carry the tag of the first. */
export interface ControlKeys {
  /** Hash of how long orders took in one span of ten seconds (see timeline.ts). */
  timeline(slot: number): string
  /** Hash of the parts that are paused (see steering.ts), and stream of what was done as an admin (see audit-log.ts). */
  readonly steering: string
  readonly audit: string
  /** Sorted set of the audit's entries by who did them (see audit-log.lua). */
  readonly auditActors: string
  /** Hash of how many orders of each stage the log has said to be missing, and the turn to look (see losses.ts). */
  readonly losses: string
  readonly lossesTurn: string
  /** Of a stage: sorted set of the processes that run it, and hash of which has which partition (see leases.lua). */
  members(stage: string): string
  leases(stage: string): string
}

const tagOf = (partition: number | undefined): string => (partition === undefined ? '' : `{p${partition}}:`)

/** @param count undefined for one partition with bare names */
export function makePartitions(count: number | undefined): Keys[] {
  return count === undefined ? [makeKeys()] : Array.from({ length: count }, (_, at) => makeKeys(at, count))
}

export function makeControlKeys(partitions: readonly Keys[]): ControlKeys {
  const tag = tagOf(partitions[0]?.partition)
  return {
    timeline: (slot) => `${tag}pipeline:timeline:${slot}`,
    steering: `${tag}pipeline:steering`,
    audit: `${tag}pipeline:audit`,
    auditActors: `${tag}pipeline:audit:actors`,
    losses: `${tag}pipeline:losses`,
    lossesTurn: `${tag}pipeline:losses:turn`,
    members: (stage) => `${tag}pipeline:members:${stage}`,
    leases: (stage) => `${tag}pipeline:leases:${stage}`,
  }
}

/** What a repartition builds beside a partition's keys, to be put in their place: the same names behind `{p3}:moved:`. */
export const movedKeys = (partition: number, of: number): Keys => makeKeys(partition, of, 'moved:')

/** What an adoption builds beside the keys of a partition, to be put in their place: the same names behind `adopted:`. */
export const adoptedKeys = ({ partition }: Keys): Keys => makeKeys(partition, undefined, 'adopted:')

/** @param of how many partitions there are */
export function makeKeys(partition?: number, of?: number, more = ''): Keys {
  const tag = tagOf(partition) + more
  return {
    partition,
    layout: String(of ?? 'none'),
    layoutKey: `${tag}pipeline:layout`,
    stream: { raw: `${tag}orders:raw`, valid: `${tag}orders:valid`, counted: `${tag}orders:counted` },
    invalid: `${tag}orders:invalid`,
    invalidOrders: `${tag}invalid_orders`,
    invalidGroup: (group) => `${tag}invalid:${group}`,
    discarded: `${tag}orders:discarded`,
    outcome: (ticket) => `${tag}outcome:${ticket}`,
    globalStats: `${tag}global:stats`,
    leaderboardSpend: `${tag}leaderboard:spend`,
    leaderboardOrders: `${tag}leaderboard:orders`,
    rebuiltSpend: `${tag}leaderboard:spend:rebuilt`,
    rebuiltOrders: `${tag}leaderboard:orders:rebuilt`,
    counters: `${tag}pipeline:counters`,
    nothing: `${tag}pipeline:nothing`,
    remembered: `${tag}pipeline:remembered`,
    incarnation: `${tag}pipeline:incarnation`,
    barrier: `${tag}pipeline:barrier`,
    done: (stage) => `${tag}pipeline:done:${stage}`,
    held: `${tag}pipeline:held`,
    userStats: (userId) => `${tag}user:${userId}`,
    ledger: (generation, bucket) => `${tag}ledger:${generation}:${bucket}`,
    own: (stage, name) => `${tag}${stage}:${name}`,
  }
}

/** What BullMQ puts before its keys: a hash tag of its own, so that a queue's keys share a slot. */
export const jobsPrefix = '{jobs}'

/** The job that an Idempotency-Key stands for. */
export const idempotencyKey = (hash: string): string => `${jobsPrefix}:idempotency:${hash}`

/** Is there while a process runs the role `jobs` (see jobs-alive.ts). */
export const jobsAliveKey = `${jobsPrefix}:alive`

/** What this Redis was set up with; a process with other settings refuses to start. */
export const manifestKey = 'pipeline:manifest'

/** Hash of what happened to Redis' data from outside, until an operator acknowledges it (see incidents.ts). */
export const incidentsKey = 'pipeline:incidents'

/** Held by the one process that repartitions or adopts. */
export const repartitionKey = 'pipeline:repartition'

/**
 * Patterns of Redis' ACL that all our keys match, with partitions or without: a partition's share a tag, bare names the
 * word before their first colon.
 */
export function keyPatterns(partitioned: boolean): string[] {
  const names = keyTable.flatMap(([names]) => [...names.matchAll(/`([^`{]+)`/g)].map(([, name = '']) => name))
  const bare = [...new Set(names.map((name) => name.replace(/:.*/, ':*')))]
  const whole = [manifestKey, incidentsKey, repartitionKey]
  return [...(partitioned ? ['{p*}:*', ...whole] : bare), `${jobsPrefix}:*`]
}

/** Key, type and content, for the README. */
export const keyTable = [
  [
    '`orders:raw` `orders:valid` `orders:counted`',
    'stream',
    'work: record batches; groups `validate`, `aggregate`, `leaderboard`',
  ],
  ['`orders:invalid`', 'stream', 'every rejected record: `code`, `record` (JSON)'],
  ['`invalid_orders`', 'list', 'the same, newest first: JSON `{id, order, raw?, code, reason, ts, attempts, …}`'],
  ['`invalid:<group>`', 'zset', 'ids of the rejected records of one reason, in order; finds, counts and groups them'],
  ['`orders:discarded`', 'stream', 'rejected records given up: `record`, `reason`, `by`, `ts`'],
  ['`outcome:<job>`', 'hash', 'what became of the orders a job sent round again; kept for 7 days'],
  ['`user:<id>`', 'hash', '`order_count`, `total_spend_minor`'],
  ['`global:stats`', 'hash', '`total_orders`, `total_revenue_minor`'],
  ['`leaderboard:spend` `leaderboard:orders`', 'zset', 'user → minor units, user → orders'],
  [
    '`leaderboard:<board>:rebuilt`',
    'zset',
    'what `orders verify --repair` builds; gone after 10 minutes if it is killed',
  ],
  ['`ledger:<generation>:<bucket>`', 'hash', 'hash of an admitted identity → fingerprint and minor units'],
  [
    '`pipeline:counters`',
    'hash',
    '`received`, `admitted`, `duplicates`, `rejected`, `rejected:<code>`, `applied`, `ranked`, `<stage>:rejected`, `<stage>:missed`, `<stage>:lost`, `<stage>:foreign`',
  ],
  ['`pipeline:remembered`', 'hash', 'generation → lines that were written into the ledger'],
  ['`pipeline:incarnation`', 'string', 'an id made once: another one means that the data was deleted or replaced'],
  ['`pipeline:timeline:<slot>`', 'hash', 'how long orders took in ten seconds, for the last quarter of an hour'],
  ['`pipeline:steering`', 'hash', 'a field per paused part: JSON `{by, ts, reason?}`; a part without one runs'],
  [
    '`pipeline:losses` `pipeline:losses:turn`',
    'hash, string',
    'per stage the missing orders that the log has said; held for seconds by the process that looks for them',
  ],
  [
    '`pipeline:audit` `pipeline:audit:actors`',
    'stream, zset',
    'what was done as an admin, the last 20,000 of 400 days, 5,000 of one name: `action`, `by`, `what` (JSON), `outcome`; its entries by name',
  ],
  [
    '`pipeline:members:<stage>` `pipeline:leases:<stage>`',
    'zset, hash',
    'with partitions: the processes that run the stage, and which has which partition',
  ],
  [
    '`pipeline:layout`',
    'string',
    'the number of partitions since `orders repartition`: who writes by another is refused',
  ],
  [
    '`pipeline:done:<stage>`',
    'zset',
    'entries that the stage has committed and that its stream still holds: none is committed again',
  ],
  [
    '`pipeline:held`',
    'string',
    'up to where `orders verify` or `repartition` has read `orders:counted`: the rest is not trimmed meanwhile',
  ],
  ['`pipeline:barrier`', 'string', 'written after other writes, to find out whether Redis has them for good'],
  [
    '`{jobs}:*`',
    '–',
    'BullMQ; `{jobs}:idempotency:<hash>`: the job an Idempotency-Key stands for, for 24 h; `{jobs}:alive`: there while a process runs the role `jobs`',
  ],
  [
    '`pipeline:manifest`',
    'hash',
    'settings that must not change under a running system, and a repartition or an adoption under way',
  ],
  [
    '`pipeline:incidents`',
    'hash',
    'what happened to the data from outside: JSON `{kind, place, ts, orders, text}`, until it is acknowledged',
  ],
  ['`pipeline:repartition`', 'string', 'held by the one `orders repartition` or `orders adopt` that runs'],
  ['`adopted:<key>`', '–', 'what `orders adopt` builds, to be put in the place of the key in one step'],
] as const
