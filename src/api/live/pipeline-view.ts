import { z } from 'zod'
import { pause } from '../../control/pauses.ts'
import type { Status } from '../../reads/status.ts'
import { type Slot, slotMs } from '../../reads/timeline.ts'
import { outflowOf, pipeline } from '../../stages/pipeline.ts'
import type { Stage } from '../../stages/stage.ts'

const count = z.int().nullable()
const ms = z.number().nullable().meta({ description: 'null where no order came by of late.' })

/** One step on an order's way, and how it fares before it. */
export const hop = z
  .object({
    name: z.string(),
    after: z.string().meta({ description: 'Where its orders come from: `sqs`, or the name of a hop.' }),
    per_second: z.number().meta({ description: 'Orders it is done with a second, over the last five.' }),
    waiting: count.meta({ description: 'Orders before it or in its hands; null where that is not known.' }),
    p50_ms: ms,
    p99_ms: ms,
    pending: count.meta({ description: 'Entries in its hands.' }),
    oldest_pending_ms: count.meta({ description: 'How long ago the oldest of them came; null where there is none.' }),
    consumers: count,
    paused: pause.nullable(),
  })
  .meta({ id: 'Hop' })
export type Hop = z.output<typeof hop>

/** The first hop, by which orders come in. */
const bridge = 'bridge'

interface Seen {
  readonly status: Status
  readonly slots: readonly Slot[]
  /** Undefined where two looks a little apart have not been had yet. */
  readonly rates: Readonly<Record<string, number>> | undefined
  /** Messages that wait in SQS, where that is known. */
  readonly visible: number | null
}

export function hopsOf({ status, slots, rates, visible }: Seen): Hop[] {
  const common = (name: string) => ({
    name,
    per_second: rates?.[name] ?? rateBySlots(slots, name),
    ...latestOf(slots, name),
    paused: status.paused?.[name] ?? null,
  })
  const nobody = { pending: null, oldest_pending_ms: null, consumers: null }
  const first: Hop = { ...common(bridge), after: 'sqs', waiting: visible, ...nobody }
  const stages = pipeline.map((stage, at): Hop => {
    const { waiting = null, pending = null, oldestPendingMs = null, consumers = null } = status.stages[at] ?? {}
    const held = { waiting, pending, oldest_pending_ms: oldestPendingMs, consumers }
    return { ...common(stage.name), after: before(stage), ...held }
  })
  return [first, ...stages]
}

function before({ from }: Stage): string {
  return pipeline.find(({ to }) => to === from)?.name ?? bridge
}

/** How long orders waited: in the newest slot that has some, of this and the last one. */
export function latestOf(slots: readonly Slot[], series: string): Pick<Hop, 'p50_ms' | 'p99_ms'> {
  const span = slots.at(-1)?.series[series] ?? slots.at(-2)?.series[series]
  return { p50_ms: span?.p50 ?? null, p99_ms: span?.p99 ?? null }
}

/** For the first look, before there is another to compare it with: by the last slot that is over. */
function rateBySlots(slots: readonly Slot[], series: string): number {
  return (slots.at(-2)?.series[series]?.orders ?? 0) / (slotMs / 1_000)
}

/** Long enough to be calm, short enough to see that it stands still. */
const windowMs = 5_000
/** Of two looks closer together, one more order would be a thousand a second. */
const leastMs = 500

type Counters = NonNullable<Status['counters']>

/** Orders a second by hop: how the counters have grown over the last seconds. What a replay takes back is no growth. */
export function openRates(): (counters: Counters | null) => Record<string, number> | undefined {
  let looks: { readonly at: number; readonly counters: Counters }[] = []
  return (counters) => {
    if (!counters) return undefined
    const now = performance.now()
    looks = [...looks.filter(({ at }) => now - at <= windowMs), { at: now, counters }]
    const [oldest] = looks
    if (!oldest || now - oldest.at < leastMs) return undefined
    const grown = (names: readonly string[]): number => {
      const sum = (of: Counters): number => names.reduce((total, name) => total + (of[name] ?? 0), 0)
      return Math.max(0, ((sum(counters) - sum(oldest.counters)) / (now - oldest.at)) * 1_000)
    }
    const stages = pipeline.map((stage): [string, number] => [stage.name, grown(outflowOf(stage))])
    const moved = Math.max(0, grown(['received']) - grown(['replayed'])) // a replay is no work of the bridge
    return { [bridge]: moved, ...Object.fromEntries(stages) }
  }
}
