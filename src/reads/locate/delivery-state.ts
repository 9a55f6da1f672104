import type { PartitionScope } from '../../app.ts'
import type { RedisClient } from '../../redis/client.ts'
import { isMissingStream } from '../../redis/errors.ts'
import type { Totals } from '../../stages/aggregate.ts'
import { otherListText } from '../../stages/layout/layout.ts'
import type { Pipeline, Stage } from '../../stages/placed.ts'
import { groupNamed } from '../../stages/runner/groups.ts'
import { isCorrected, ledgerRecord, orderLine } from '../../stages/runner/ledger.ts'
import { compareIds, minId, timeMs } from '../../stream-id.ts'
import type { Sighting } from './sightings.ts'

/** The delivery of an entry to a stage. */
export interface Holding {
  readonly stage: string
  readonly state: 'undelivered' | 'pending' | 'acknowledged'
  readonly consumer?: string
  /** Ms since it was last delivered or claimed. */
  readonly held_ms?: number
  readonly deliveries?: number
}

export interface Place {
  readonly userId: string
  readonly orderId: string
  /** The ledger's generation when the search began. */
  readonly generation: number
}

/** The state of Redis at one moment, read in one transaction. */
export interface DeliveryState {
  readonly atMs: number
  readonly counters: Readonly<Record<string, number>>
  /** The ledger's value for the order, and the generation of its admission; undefined where only corrections are left. */
  readonly known: { readonly admittedIn: number | undefined; readonly value: string } | undefined
  /** The user's hash, and scores; undefined where there are none. */
  readonly counted: Totals | undefined
  readonly ranked: Totals | undefined
  /** A sentence if the running processes have another list of stages. */
  readonly otherList: string | undefined
  /** Per sighting its delivery to each stage that reads it. */
  readonly holdings: readonly (readonly Holding[])[]
}

export async function readDeliveryState(
  scope: PartitionScope,
  { userId, orderId, generation }: Place,
  sightings: readonly Sighting[],
): Promise<DeliveryState> {
  const { redis, config, keys, pipeline } = scope
  const wanted = sightings.map(({ channel, entry }) => ({
    channel,
    id: entry.id,
    stages: stagesFor(pipeline, channel, entry.group),
  }))
  const streams = pipeline.channels.map(({ name }) => name)
  // The next one too: it may have begun since.
  const generations = [generation + 1, generation, generation - 1]
  const identity = { userId, orderId, minor: 0, fingerprint: '' }
  const multi = redis.multi().time().hgetall(keys.counters).hgetall(keys.stages)
  multi.hmget(keys.userStats(userId), 'order_count', 'total_spend_minor')
  multi.zscore(keys.leaderboardOrders, userId).zscore(keys.leaderboardSpend, userId)
  for (const one of generations) {
    const { current, field } = ledgerRecord(orderLine(identity), {
      keys,
      buckets: config.ledgerBuckets,
      generation: one,
    })
    multi.hget(current, field)
  }
  for (const stream of streams) multi.xinfo('GROUPS', keys.stream(stream))
  for (const { channel, id, stages } of wanted) {
    for (const { name } of stages) multi.xpending(keys.stream(channel), name, id, id, 1)
  }
  const [time, counters, layouts, hash, orders, spend, ...more] = values(await multi.exec())
  const ledger = more.splice(0, generations.length)
  const groups = more.splice(0, streams.length)
  return {
    atMs: timeMs(time as [string, string]),
    counters: Object.fromEntries(Object.entries(counters as object).map(([name, value]) => [name, Number(value)])),
    known: knownOf(generations, ledger),
    otherList: otherListText(pipeline, layouts as Record<string, string>),
    counted: totalsIn(hash),
    ranked: totalsIn([orders, spend]),
    holdings: wanted.map(({ channel, id, stages }) =>
      stages.map(({ name }) => {
        const delivered = String(groupNamed(groups[streams.indexOf(channel)], name)?.['last-delivered-id'] ?? minId)
        return { stage: name, ...stateOf(id, delivered, more.shift()) }
      }),
    ),
  }
}

/** A correction writes the value again, in its own generation. The oldest value that is left may be the one as admitted. */
function knownOf(generations: readonly number[], values: readonly unknown[]): DeliveryState['known'] {
  const found = generations.flatMap((generation, at) => {
    const value = values[at]
    return typeof value === 'string' ? [{ generation, value }] : []
  })
  const [newest, oldest] = [found[0], found.at(-1)]
  if (!newest || !oldest) return undefined
  return { value: newest.value, admittedIn: isCorrected(oldest.value) ? undefined : oldest.generation }
}

function totalsIn(values: unknown): Totals | undefined {
  const [orders, minor] = Array.isArray(values) ? values : []
  return typeof orders === 'string' ? { orders: Number(orders), minor: Number(minor ?? 0) } : undefined
}

function stagesFor(pipeline: Pipeline, channel: string, group: string | undefined): readonly Stage[] {
  return pipeline.channel(channel).readers.filter(({ name }) => group === undefined || name === group)
}

/** Returns the replies; undefined for a missing stream or group, as before the first run of a stage. */
function values(replies: Awaited<ReturnType<ReturnType<RedisClient['multi']>['exec']>>): unknown[] {
  return (replies ?? []).map(([error, value]) => {
    if (error && !isMissingStream(error)) throw error
    return error ? undefined : value
  })
}

function stateOf(id: string, delivered: string, pending: unknown): Omit<Holding, 'stage'> {
  const [found] = Array.isArray(pending) ? pending : []
  if (Array.isArray(found)) {
    const [, consumer, heldMs, deliveries] = found
    return { state: 'pending', consumer: String(consumer), held_ms: Number(heldMs), deliveries: Number(deliveries) }
  }
  return { state: compareIds(id, delivered) > 0 ? 'undelivered' : 'acknowledged' }
}
