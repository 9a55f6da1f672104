import { setTimeout as sleep } from 'node:timers/promises'
import type { App, PartitionScope } from '../../app.ts'
import type { Keys } from '../../keys.ts'
import type { CountedRecord } from '../../messages.ts'
import { aggregate } from '../../stages/aggregate.ts'
import { leaderboard } from '../../stages/leaderboard.ts'
import type { Stage } from '../../stages/placed.ts'
import { decodeEntry } from '../../stages/runner/entry.ts'
import { groupNamed } from '../../stages/runner/groups.ts'
import { minId } from '../../stream-id.ts'
import { compareScores, type DeepCheck, type Later, mergeChecks, type Scores } from './compare-scores.ts'
import { maxAttempts, openCountedFeed } from './counted-feed.ts'
import { readUserTotals } from './user-totals.ts'

/**
 * Checks that the users' totals add up to the global stats, and that each user's scores are those of their totals. Writes
 * nothing, reads in chunks that do not block Redis, and is exact while all stages work. The users' totals are those of one
 * moment T (see readUserTotals). Then the leaderboard commits what was counted by T, while the feed is still read. A user's
 * score must be their total at T, or one of the totals that the feed showed later; with no order left, there must be none.
 * Checks one partition after the other.
 */
export async function deepCheck(app: App, signal: AbortSignal): Promise<DeepCheck> {
  const checks: DeepCheck[] = []
  for (const keys of app.partitions) checks.push(inPartition(keys, await checkPartition({ ...app, keys }, signal)))
  return checks.reduce(mergeChecks)
}

/** Names the partition in each difference. */
function inPartition({ partition }: Keys, check: DeepCheck): DeepCheck {
  if (partition === undefined) return check
  return { ...check, differences: check.differences.map((difference) => `Partition ${partition}: ${difference}`) }
}

async function checkPartition(scope: PartitionScope, signal: AbortSignal): Promise<DeepCheck> {
  for (let attempt = 1; attempt <= maxAttempts; attempt++) {
    const found = await checkOnce(scope, signal)
    if (found) return found
  }
  const unknown = `The check could not be completed: ${maxAttempts} times orders were trimmed before they were read, the counter was changed, or users were erased. Run it again.`
  return { verdict: 'undecided', users: 0, wrongUsers: 0, examples: [], undecidedUsers: 0, differences: [unknown] }
}

/** Returns undefined if the feed has a gap, or a user was erased meanwhile. */
async function checkOnce(scope: PartitionScope, signal: AbortSignal): Promise<DeepCheck | undefined> {
  const erased = await scope.redis.hlen(scope.keys.erased)
  await using feed = await openCountedFeed(scope, signal)
  const at = await readUserTotals(scope, feed, signal)
  if (!at) return undefined
  const later: Later = new Map()
  const onRecord = ({ user_id, order_count, total_spend_minor }: CountedRecord): void => {
    const records = later.get(user_id)
    if (records) records.push({ order_count, total_spend_minor })
    else later.set(user_id, [{ order_count, total_spend_minor }])
  }
  const waiting = await feed.during(untilRanked(scope, at.moment.lastId, signal), onRecord)
  const scores = await feed.during(readScores(scope, signal), onRecord)
  if (!(await feed.now(onRecord)) || (await scope.redis.hlen(scope.keys.erased)) !== erased) return undefined
  return compareScores(at, { later, scores, waiting }, scope.format.money)
}

const pollMs = 20

/**
 * Waits until every stage from aggregate's output to the leaderboard has committed what was counted up to the entry `id`: each
 * up to the last entry that the one before it had passed on by then.
 * @returns the users with orders that a stage has not committed because it has stalled
 */
async function untilRanked(scope: PartitionScope, id: string, signal: AbortSignal): Promise<Set<string>> {
  const { redis, keys, pipeline } = scope
  const names = pipeline.chain.map(({ name }) => name)
  const path = pipeline.chain.slice(names.indexOf(aggregate.name) + 1, names.indexOf(leaderboard.name) + 1)
  const users = new Set<string>()
  for (const [at, stage] of path.entries()) {
    const [last] = at === 0 ? [] : await redis.xrevrange(keys.stream(stage.from), '+', '-', 'COUNT', 1)
    const end = at === 0 ? id : (last?.[0] ?? minId)
    const stalled = await untilCommitted(scope, stage, end, signal)
    if (stalled !== undefined) await addUsers(users, scope, stage, { first: stalled, last: end })
  }
  return users
}

/**
 * Waits until a stage has committed all entries up to `id`.
 * @returns the first uncommitted entry, if it makes no progress for twice CLAIM_IDLE_MS: by then a dead consumer's entries
 * are claimed
 */
async function untilCommitted(
  scope: PartitionScope,
  stage: Stage,
  id: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  for (let before = '', movedAt = performance.now(); ; ) {
    const [first, ...more] = await readUncommitted(scope, stage, id)
    if (first === undefined) return undefined
    const left = [first, ...more].join()
    if (left !== before) movedAt = performance.now()
    else if (performance.now() - movedAt > 2 * scope.config.claimIdleMs) return first
    before = left
    await sleep(pollMs, undefined, { signal })
  }
}

/** Reads uncommitted entries up to `id`: the first, and enough of the others to see progress. */
async function readUncommitted({ redis, keys }: PartitionScope, stage: Stage, id: string): Promise<string[]> {
  const stream = keys.stream(stage.from)
  if (id === minId) return []
  const group = groupNamed(await redis.xinfo('GROUPS', stream), stage.name)
  const delivered = group?.['last-delivered-id']
  const waiting = await redis.xrange(stream, delivered === undefined ? '-' : `(${delivered}`, id, 'COUNT', 1)
  const pending = group ? ((await redis.xpending(stream, stage.name, '-', id, 1_000)) as string[][]) : []
  return [...pending.map(([entry = '']) => entry), ...waiting.map(([entry]) => entry)]
}

async function addUsers(
  users: Set<string>,
  { redis, keys, pipeline }: PartitionScope,
  { from: channel }: Stage,
  { first, last }: { first: string; last: string },
): Promise<void> {
  for (let from = first, count = 50; ; ) {
    const entries = await redis.xrangeBuffer(keys.stream(channel), from, last, 'COUNT', count)
    for (const [id, fields] of entries) {
      for (const record of decodeEntry(pipeline, String(id), fields ?? [], channel).records ?? []) {
        if ('user_id' in record) users.add(String(record.user_id))
      }
    }
    if (entries.length < count) return
    from = `(${entries.at(-1)?.[0]}`
  }
}

async function readScores({ redis, keys }: PartitionScope, signal: AbortSignal): Promise<Scores> {
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
