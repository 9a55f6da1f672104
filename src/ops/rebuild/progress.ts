import { randomUUID } from 'node:crypto'
import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import type { Keys } from '../../keys.ts'
import { unwrapReplies } from '../../redis/client.ts'
import { clearShadow } from '../../stages/erasure/drop-shadows.ts'
import { chainField, wholeLines } from './apply.ts'

/** A rebuild that has begun. */
export interface Run {
  readonly id: string
  /** Per chain, the last line that all partitions have whole. */
  readonly lines: Map<string, number>
  /** Per partition and chain, where its last batch ended, in the form of `positionOf`. */
  readonly at: ReadonlyMap<Keys, Map<string, string>>
  /** True if an earlier process began it. */
  readonly isContinued: boolean
}

type Scope = Pick<App, 'redis' | 'partitions'>

interface Beginning {
  /** Called before each write. @throws if this process must stop */
  alive(): Promise<void>
  /** Called before what an earlier rebuild of something else has built is deleted. @throws to keep it */
  mayReplace(): Promise<void>
}

/**
 * Continues the rebuild of the same thing, or begins one. What another rebuild has built is deleted.
 * @param what says what is built: stages, archive, moment
 */
export async function beginRun(app: Scope, what: string, { alive, mayReplace }: Beginning): Promise<Run> {
  const all = await readAll(app)
  const [first] = all
  const id = first?.['run']
  const isSame = all.every((one) => one['run'] === id && one['what'] === what && one['ready'] === '1')
  if (id !== undefined && isSame) return { id, lines: linesOf(all), at: positionsOf(app, all), isContinued: true }
  if (linesOf(all).size > 0) await mayReplace()
  const run = randomUUID()
  for (const { rebuildProgress, compared } of app.partitions) {
    await alive()
    unwrapReplies(await app.redis.multi().del(rebuildProgress, compared).hset(rebuildProgress, { run, what }).exec())
  }
  for (const keys of app.partitions) await clearShadow(app.redis, keys, alive)
  for (const { rebuildProgress } of app.partitions) {
    await alive()
    await app.redis.hset(rebuildProgress, 'ready', '1')
  }
  return { id: run, lines: new Map(), at: positionsOf(app, []), isContinued: false }
}

/** Deletes what was built. What flips have kept stays. */
export async function endRun({ redis, partitions }: Scope, alive: () => Promise<void>): Promise<void> {
  for (const keys of partitions) {
    await alive()
    await redis.unlink(keys.rebuildProgress, keys.compared)
    await clearShadow(redis, keys, alive)
  }
}

/** @throws OrdersError ORD_USAGE if another run has begun since */
export async function requireRun({ redis, partitions }: Scope, { id }: Run): Promise<void> {
  for (const { rebuildProgress } of partitions) {
    if ((await redis.hget(rebuildProgress, 'run')) !== id) throw runIsGone()
  }
}

export const runIsGone = (): OrdersError =>
  new OrdersError('ORD_USAGE', 'Another rebuild has begun, or Redis no longer has what this one built: run this again.')

/**
 * Compares what Redis has of a run with what was added: a failover may have lost the last batches.
 * @param progress of a partition, as it is now
 * @throws OrdersError ORD_USAGE if something is missing
 */
export function requireBuilt({ id, at }: Run, keys: Keys, progress: ReadonlyMap<string, string>): void {
  const positions = [...(at.get(keys) ?? [])]
  const isThere = positions.every(([chain, position]) => (progress.get(chainField(chain)) ?? '') >= position)
  if (progress.get('run') !== id || !isThere) throw runIsGone()
}

function readAll({ redis, partitions }: Scope): Promise<Record<string, string>[]> {
  return Promise.all(partitions.map(({ rebuildProgress }) => redis.hgetall(rebuildProgress)))
}

function positionsOf(
  { partitions }: Scope,
  all: readonly Readonly<Record<string, string>>[],
): Map<Keys, Map<string, string>> {
  const prefix = chainField('')
  return new Map(
    partitions.map((keys, at) => {
      const chains = Object.entries(all[at] ?? {}).filter(([field]) => field.startsWith(prefix))
      return [keys, new Map(chains.map(([field, position]) => [field.slice(prefix.length), position]))]
    }),
  )
}

function linesOf(all: readonly Readonly<Record<string, string>>[]): Map<string, number> {
  const prefix = chainField('')
  const chains = new Set(all.flatMap((one) => Object.keys(one).filter((field) => field.startsWith(prefix))))
  return new Map(
    [...chains].map((field) => [field.slice(prefix.length), Math.min(...all.map((one) => wholeLines(one[field])))]),
  )
}
