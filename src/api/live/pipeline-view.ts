import { z } from 'zod'
import { pauseSchema } from '../../control/pauses.ts'
import { countText } from '../../reads/count-text.ts'
import type { Status } from '../../reads/status.ts'
import { type Slot, slotMs } from '../../reads/timeline.ts'
import type { Pipeline } from '../../stages/placed.ts'
import { sumBy } from '../../sums.ts'

const count = z.int().nullable()
const ms = z.number().nullable().meta({ description: 'null if no order passed recently.' })

/** One step of the pipeline, and the orders that wait for it. */
export const hop = z
  .object({
    name: z.string(),
    after: z.string().meta({ description: 'The source of its orders: `sqs`, or the name of a hop.' }),
    per_second: z.number().meta({ description: 'Orders processed per second, over the last five seconds.' }),
    waiting: count.meta({ description: 'Orders that wait for it or are in flight; null if unknown.' }),
    p50_ms: ms,
    p99_ms: ms,
    pending: count.meta({ description: 'Entries in flight.' }),
    oldest_pending_ms: count.meta({ description: 'Age of the oldest of them; null if there is none.' }),
    oldest_waiting_ms: count.meta({
      description: 'Time since the oldest order that waits or is in flight came to the hop; null if there is none.',
    }),
    processes: count.meta({ description: 'Processes that run it; null if unknown.' }),
    stall: z.string().nullable().meta({ description: 'Why it does no work although it should; null if it works.' }),
    consumers: count.meta({ description: 'Consumers, with those of dead processes that are not removed yet.' }),
    paused: pauseSchema.nullable(),
  })
  .meta({ id: 'Hop' })
export type Hop = z.output<typeof hop>

/** The first hop, which receives orders. */
const bridge = 'bridge'

interface Seen {
  readonly pipeline: Pipeline
  readonly status: Status
  readonly slots: readonly Slot[]
  /** Undefined until there are two snapshots far enough apart. */
  readonly rates: Readonly<Record<string, number>> | undefined
  /** Messages that wait in SQS; null if unknown. */
  readonly visible: number | null
}

export function hopsOf({ pipeline, status, slots, rates, visible }: Seen): Hop[] {
  const common = (name: string) => ({
    name,
    per_second: rates?.[name] ?? rateBySlots(slots, name),
    ...latestOf(slots, name),
    paused: status.paused?.[name] ?? null,
  })
  const noConsumers = { pending: null, oldest_pending_ms: null, oldest_waiting_ms: null, consumers: null }
  const { processes, stall } = status.bridge
  const inSqs = visible ? ` ${countText(visible)} message${visible === 1 ? ' waits' : 's wait'} in SQS.` : ''
  const ofBridge = { processes, stall: stall && stall + inSqs }
  const first: Hop = { ...common(bridge), after: 'sqs', waiting: visible, ...noConsumers, ...ofBridge }
  const stages = pipeline.stages.map((stage, at): Hop => {
    const { waiting = null, pending = null, oldestPendingMs = null, oldestWaitingMs = null } = status.stages[at] ?? {}
    const { consumers = null, processes = null, stall = null } = status.stages[at] ?? {}
    const held = { waiting, pending, oldest_pending_ms: oldestPendingMs, oldest_waiting_ms: oldestWaitingMs }
    const after = pipeline.channel(stage.from).writer?.name ?? bridge
    return { ...common(stage.name), after, ...held, consumers, processes, stall }
  })
  return [first, ...stages]
}

/** Returns the waiting times of the newest slot that has orders, of the last two. */
export function latestOf(slots: readonly Slot[], series: string): Pick<Hop, 'p50_ms' | 'p99_ms'> {
  const span = slots.at(-1)?.series[series] ?? slots.at(-2)?.series[series]
  return { p50_ms: span?.p50 ?? null, p99_ms: span?.p99 ?? null }
}

/** Returns the rate by the last complete slot, while there is only one snapshot. */
function rateBySlots(slots: readonly Slot[], series: string): number {
  return (slots.at(-2)?.series[series]?.orders ?? 0) / (slotMs / 1_000)
}

/** Long enough for a steady rate, short enough to show that work stalls. */
const windowMs = 5_000
/** If two snapshots were closer, one more order would be a thousand per second. */
const minMs = 500

type Counters = NonNullable<Status['counters']>

/** Returns a function for the orders per second of each hop, by the growth of its counters. A replay subtracts; that is 0. */
export function openRates({ stages }: Pipeline): (counters: Counters | null) => Record<string, number> | undefined {
  let snapshots: { readonly at: number; readonly counters: Counters }[] = []
  return (counters) => {
    if (!counters) return undefined
    const now = performance.now()
    snapshots = [...snapshots.filter(({ at }) => now - at <= windowMs), { at: now, counters }]
    const [oldest] = snapshots
    if (!oldest || now - oldest.at < minMs) return undefined
    const grown = (names: readonly string[]): number => {
      const total = (of: Counters): number => sumBy(names, (name) => of[name] ?? 0)
      return Math.max(0, ((total(counters) - total(oldest.counters)) / (now - oldest.at)) * 1_000)
    }
    const rates = stages.map(({ name, counters }): [string, number] => [name, grown(counters.outflow)])
    const moved = Math.max(0, grown(['received']) - grown(['replayed'])) // replayed orders do not pass the bridge
    return { [bridge]: moved, ...Object.fromEntries(rates) }
  }
}
