import { z } from 'zod'
import type { PartitionScope } from '../../app.ts'
import { defineScript } from '../../redis/script.ts'
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

const flat = z.array(z.string()).transform((all): Record<string, string> => {
  return Object.fromEntries(all.flatMap((name, at) => (at % 2 === 0 ? [[name, all[at + 1] ?? '']] : [])))
})
const pair = z.tuple([z.string(), z.string()])
const readAtOnce = defineScript(
  import.meta.url,
  z.tuple([pair, flat, flat, pair, pair, z.array(z.string()), z.array(z.unknown()), z.array(z.unknown())]),
)

/** The state of Redis at one moment. */
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
  const line = orderLine({ userId, orderId, minor: 0, fingerprint: '' })
  const inLedger = generations.map((generation) =>
    ledgerRecord(line, { keys, buckets: config.ledgerBuckets, generation }),
  )
  const reply = await readAtOnce(
    redis,
    [
      ...[keys.counters, keys.stages, keys.userStats(userId), keys.leaderboardOrders, keys.leaderboardSpend],
      ...inLedger.map(({ current }) => current),
      ...streams.map((stream) => keys.stream(stream)),
    ],
    [
      ...[userId, inLedger[0]?.field ?? '', inLedger.length],
      ...wanted.flatMap(({ channel, id, stages }) =>
        stages.flatMap(({ name }) => [streams.indexOf(channel) + 1, name, id]),
      ),
    ],
  )
  const [time, counters, layouts, hash, scores, ledger, groups, pending] = reply
  const deliveries = [...pending]
  return {
    atMs: timeMs(time),
    counters: Object.fromEntries(Object.entries(counters).map(([name, value]) => [name, Number(value)])),
    known: knownOf(generations, ledger),
    otherList: otherListText(pipeline, layouts),
    counted: totalsIn(hash),
    ranked: totalsIn(scores),
    holdings: wanted.map(({ channel, id, stages }) =>
      stages.map(({ name }) => {
        const delivered = String(groupNamed(groups[streams.indexOf(channel)], name)?.['last-delivered-id'] ?? minId)
        return { stage: name, ...stateOf(id, delivered, deliveries.shift()) }
      }),
    ),
  }
}

/** A correction writes the value again, in its own generation. The oldest value that is left may be the one as admitted. */
function knownOf(generations: readonly number[], values: readonly string[]): DeliveryState['known'] {
  const found = generations.flatMap((generation, at) => {
    const value = values[at] ?? ''
    return value === '' ? [] : [{ generation, value }]
  })
  const [newest, oldest] = [found[0], found.at(-1)]
  if (!newest || !oldest) return undefined
  return { value: newest.value, admittedIn: isCorrected(oldest.value) ? undefined : oldest.generation }
}

function totalsIn([orders, minor]: readonly [string, string]): Totals | undefined {
  return orders === '' ? undefined : { orders: Number(orders), minor: Number(minor) }
}

function stagesFor(pipeline: Pipeline, channel: string, group: string | undefined): readonly Stage[] {
  return pipeline.channel(channel).readers.filter(({ name }) => group === undefined || name === group)
}

function stateOf(id: string, delivered: string, pending: unknown): Omit<Holding, 'stage'> {
  const [found] = Array.isArray(pending) ? pending : []
  if (Array.isArray(found)) {
    const [, consumer, heldMs, deliveries] = found
    return { state: 'pending', consumer: String(consumer), held_ms: Number(heldMs), deliveries: Number(deliveries) }
  }
  return { state: compareIds(id, delivered) > 0 ? 'undelivered' : 'acknowledged' }
}
