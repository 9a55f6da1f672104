import type { Partition } from '../../app.ts'
import type { ChannelName } from '../../messages.ts'
import type { RedisClient } from '../../redis/client.ts'
import { pipeline } from '../../stages/pipeline.ts'
import { groupNamed } from '../../stages/runner/groups.ts'
import { admittedRecord } from '../../stages/runner/ledger.ts'
import type { Stage } from '../../stages/stage.ts'
import { timeMs } from '../../time.ts'
import type { Sighting } from './sightings.ts'

/** Where an entry is in the hands of a stage. */
export interface Holding {
  readonly stage: string
  readonly state: 'undelivered' | 'pending' | 'acknowledged'
  readonly consumer?: string
  /** Since it was delivered or claimed the last time. */
  readonly held_ms?: number
  readonly deliveries?: number
}

export interface Place {
  readonly userId: string
  readonly orderId: string
  /** The ledger's, when the trace began. */
  readonly generation: number
}

/** What Redis held at one moment, by one transaction. */
export interface Whereabouts {
  readonly atMs: number
  readonly counters: Readonly<Record<string, number>>
  /** What the ledger holds for the order, and in which generation. */
  readonly known: { readonly generation: number; readonly value: string } | undefined
  /** Orders of the user that are counted, and of these ranked. */
  readonly counted: number
  readonly ranked: number
  /** Per sighting the stages it is for. */
  readonly holdings: readonly (readonly Holding[])[]
}

export async function readWhereabouts(
  app: Partition,
  { userId, orderId, generation }: Place,
  sightings: readonly Sighting[],
): Promise<Whereabouts> {
  const { redis, config, keys } = app
  const asked = sightings.map(({ channel, entry }) => ({
    channel,
    id: entry.id,
    stages: stagesFor(channel, entry.group),
  }))
  const streams = pipeline.map(({ from }) => from)
  // The next one too: it may have begun since.
  const generations = [generation + 1, generation, generation - 1]
  const identity = { userId, orderId, minor: 0, fingerprint: '' }
  const multi = redis.multi().time().hgetall(keys.counters)
  multi.hget(keys.userStats(userId), 'order_count').zscore(keys.leaderboardOrders, userId)
  for (const one of generations) {
    const { current, field } = admittedRecord(identity, { keys, buckets: config.ledgerBuckets, generation: one })
    multi.hget(current, field)
  }
  for (const stream of streams) multi.xinfo('GROUPS', keys.stream[stream])
  for (const { channel, id, stages } of asked) {
    for (const { name } of stages) multi.xpending(keys.stream[channel], name, id, id, 1)
  }
  const [time, counters, count, score, ...more] = values(await multi.exec())
  const ledger = more.splice(0, generations.length)
  const groups = more.splice(0, streams.length)
  const at = ledger.findIndex((value) => typeof value === 'string')
  return {
    atMs: timeMs(time as [string, string]),
    counters: Object.fromEntries(Object.entries(counters as object).map(([name, value]) => [name, Number(value)])),
    known: at === -1 ? undefined : { generation: generations[at] ?? generation, value: String(ledger[at]) },
    counted: Number(count ?? 0),
    ranked: Number(score ?? 0),
    holdings: asked.map(({ channel, id, stages }) =>
      stages.map(({ name }) => {
        const delivered = String(groupNamed(groups[streams.indexOf(channel)], name)?.['last-delivered-id'] ?? '0-0')
        return { stage: name, ...stateOf(id, delivered, more.shift()) }
      }),
    ),
  }
}

function stagesFor(channel: ChannelName, group: string | undefined): readonly Stage[] {
  return pipeline.filter(({ name, from }) => from === channel && (group === undefined || name === group))
}

/** Before a stage has ever run its stream or group may be missing; that is no error here. */
function values(replies: Awaited<ReturnType<ReturnType<RedisClient['multi']>['exec']>>): unknown[] {
  return (replies ?? []).map(([error, value]) => {
    if (error && !/no such key|NOGROUP/.test(error.message)) throw error
    return error ? undefined : value
  })
}

function stateOf(id: string, delivered: string, pending: unknown): Omit<Holding, 'stage'> {
  const [found] = Array.isArray(pending) ? pending : []
  if (Array.isArray(found)) {
    const [, consumer, heldMs, deliveries] = found
    return { state: 'pending', consumer: String(consumer), held_ms: Number(heldMs), deliveries: Number(deliveries) }
  }
  return { state: isAfter(id, delivered) ? 'undelivered' : 'acknowledged' }
}

function isAfter(one: string, other: string): boolean {
  const [ms = 0n, sequence = 0n] = one.split('-').map(BigInt)
  const [otherMs = 0n, otherSequence = 0n] = other.split('-').map(BigInt)
  return ms === otherMs ? sequence > otherSequence : ms > otherMs
}
