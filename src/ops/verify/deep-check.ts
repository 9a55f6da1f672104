import { setTimeout as sleep } from 'node:timers/promises'
import type { App, Partition } from '../../app.ts'
import type { Keys } from '../../keys.ts'
import type { CountedRecord } from '../../messages.ts'
import { leaderboard } from '../../stages/leaderboard.ts'
import { decodeEntry } from '../../stages/runner/consume.ts'
import { groupNamed } from '../../stages/runner/groups.ts'
import { type Audit, compare, type Later, type Scores, together } from './compare-scores.ts'
import { mostAttempts, openTail } from './counted-feed.ts'
import { readAccounts } from './user-totals.ts'

/**
 * Whether the users' totals add up to the global stats, and each user has the scores of their totals. Changes nothing, in
 * chunks that do not hold up Redis, and is exact while all stages work: the users' totals are those of one moment T (see
 * readAccounts). Then the leaderboard finishes what was counted by T, while the tail is read on. A user's score must be
 * that of their total at T or of one of the totals that came by later. One partition after the other.
 */
export async function audit(app: App, signal: AbortSignal): Promise<Audit> {
  const audits: Audit[] = []
  for (const keys of app.partitions) audits.push(told(keys, await auditPartition({ ...app, keys }, signal)))
  return audits.reduce(together)
}

function told({ partition }: Keys, audit: Audit): Audit {
  if (partition === undefined) return audit
  return { ...audit, differences: audit.differences.map((difference) => `Partition ${partition}: ${difference}`) }
}

async function auditPartition(app: Partition, signal: AbortSignal): Promise<Audit> {
  for (let attempt = 1; attempt <= mostAttempts; attempt++) {
    const found = await auditOnce(app, signal)
    if (found) return found
  }
  const untold = `It could not be told: ${mostAttempts} times orders were trimmed before they were read, or the counter was changed.`
  return { verdict: 'undecided', users: 0, wrongUsers: 0, examples: [], undecidedUsers: 0, differences: [untold] }
}

/** Undefined where the tail has a gap. */
async function auditOnce(app: Partition, signal: AbortSignal): Promise<Audit | undefined> {
  await using tail = await openTail(app, signal)
  const at = await readAccounts(app, tail, signal)
  if (!at) return undefined
  const later: Later = new Map()
  const onRecord = ({ user_id, order_count, total_spend_minor }: CountedRecord): void => {
    const records = later.get(user_id)
    if (records) records.push({ order_count, total_spend_minor })
    else later.set(user_id, [{ order_count, total_spend_minor }])
  }
  const unranked = await tail.during(untilRanked(app, at.moment.lastId, signal), onRecord)
  const scores = await tail.during(readScores(app, signal), onRecord)
  if (!(await tail.now(onRecord))) return undefined
  const waiting = unranked === undefined ? new Set<string>() : await usersBetween(app, unranked, at.moment.lastId)
  return compare(at, { later, scores, waiting })
}

const pollMs = 20

/**
 * Resolves when the leaderboard has finished all entries up to `id`; where it has got nowhere for twice CLAIM_IDLE_MS
 * (by when a dead consumer's entries are claimed), with the first entry that it has not finished.
 */
async function untilRanked(app: Partition, id: string, signal: AbortSignal): Promise<string | undefined> {
  for (let before = '', movedAt = performance.now(); ; ) {
    const [first, ...more] = await readUnranked(app, id)
    if (first === undefined) return undefined
    const left = [first, ...more].join()
    if (left !== before) movedAt = performance.now()
    else if (performance.now() - movedAt > 2 * app.config.claimIdleMs) return first
    before = left
    await sleep(pollMs, undefined, { signal })
  }
}

/** Entries up to `id` that the leaderboard has not finished: the first, and enough of the others to see that it gets on. */
async function readUnranked({ redis, keys }: Partition, id: string): Promise<string[]> {
  const stream = keys.stream.counted
  if (id === '0-0') return []
  const group = groupNamed(await redis.xinfo('GROUPS', stream), leaderboard.name)
  const delivered = group?.['last-delivered-id']
  const waiting = await redis.xrange(stream, delivered === undefined ? '-' : `(${delivered}`, id, 'COUNT', 1)
  const pending = group ? ((await redis.xpending(stream, leaderboard.name, '-', id, 1_000)) as string[][]) : []
  return [...pending.map(([entry = '']) => entry), ...waiting.map(([entry]) => entry)]
}

async function usersBetween({ redis, keys }: Partition, first: string, last: string): Promise<Set<string>> {
  const users = new Set<string>()
  for (let from = first, count = 50; ; ) {
    const entries = await redis.xrangeBuffer(keys.stream.counted, from, last, 'COUNT', count)
    for (const [id, fields] of entries) {
      for (const record of decodeEntry(String(id), fields ?? [], 'counted').records ?? []) {
        if ('user_id' in record) users.add(record.user_id)
      }
    }
    if (entries.length < count) return users
    from = `(${entries.at(-1)?.[0]}`
  }
}

async function readScores({ redis, keys }: Partition, signal: AbortSignal): Promise<Scores> {
  const read = async (key: string): Promise<Map<string, number>> => {
    const scores = new Map<string, number>()
    for (let cursor = '', found: string[]; cursor !== '0'; ) {
      signal.throwIfAborted()
      ;[cursor, found] = await redis.zscan(key, cursor || '0', 'COUNT', 1_000)
      for (let at = 0; at + 1 < found.length; at += 2) scores.set(found[at] ?? '', Number(found[at + 1]))
    }
    return scores
  }
  return { spend: await read(keys.leaderboardSpend), orders: await read(keys.leaderboardOrders) }
}
