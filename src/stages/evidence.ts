import type { Partition } from '../app.ts'
import type { CountedRecord, RawRecord, ValidRecord } from '../messages.ts'
import { readCounters } from '../reads/counters.ts'
import { type Holding, readWhereabouts, type Whereabouts } from '../reads/locate/delivery-state.ts'
import {
  type Discarded,
  type Found,
  findCounted,
  findDiscarded,
  findInvalid,
  findRaw,
  findValid,
  type Rejected,
  type Sighting,
} from '../reads/locate/sightings.ts'
import { pipeline, rejectedBy } from './pipeline.ts'
import { generationNow } from './runner/ledger.ts'

export interface OrderName {
  readonly userId: string
  readonly orderId: string
  /** Ends the look when it aborts. */
  readonly signal?: AbortSignal | undefined
}

/** All that was found of an order. */
export interface Evidence {
  readonly raw: Found<Sighting<RawRecord>>
  readonly valid: Found<Sighting<ValidRecord>>
  readonly counted: Found<Sighting<CountedRecord>>
  readonly invalid: Found<Rejected>
  readonly discarded: Found<Discarded>
  /** What Redis held when all streams had been looked through. */
  readonly now: Whereabouts
  /** In whose hands each sighting was by then. */
  heldBy(sighting: Sighting): readonly Holding[]
  /** False where orders were taken back all the while, so that this one may have been passed over. */
  readonly settled: boolean
}

/** An order moves on four times at most, unless it is replayed again and again. */
const mostLooks = 5

export async function gather(app: Partition, order: OrderName): Promise<Evidence> {
  for (let look = 1; ; look++) {
    const evidence = await lookOnce(app, order)
    if (evidence.settled || look === mostLooks) return evidence
  }
}

/**
 * Looks along the line the way orders go, from its head to its end: one that moves on meanwhile is met further down. Only
 * a replay takes an order back past what was looked at, and only a commit between the look at a stream and the last
 * transaction makes what is absent there look as if it had gone by before. Both are noticed: it is to be looked again.
 */
async function lookOnce(app: Partition, order: OrderName): Promise<Evidence> {
  const place = { ...order, generation: await generationNow(app) }
  const before = await readCounters(app.redis, [app.keys])
  const raw = await findRaw(app, order)
  const early = await readWhereabouts(app, place, raw.found)
  const valid = await findValid(app, order)
  const counted = await findCounted(app, order)
  const invalid = await findInvalid(app, order)
  const discarded = await findDiscarded(app, order)
  const sightings: Sighting[] = [...raw.found, ...valid.found, ...counted.found]
  const now = await readWhereabouts(app, place, sightings)
  const heldBy = (sighting: Sighting): readonly Holding[] => now.holdings[sightings.indexOf(sighting)] ?? []
  const judged = raw.found.some((sighting, at) => waits(early.holdings[at] ?? []) && !waits(heldBy(sighting)))
  const settled = !judged && !tookBack(before, now) && early.known?.value === now.known?.value
  return { raw, valid, counted, invalid, discarded, now, heldBy, settled }
}

/** Whether some stage is not done with it. */
export const waits = (holdings: readonly Holding[]): boolean => holdings.some(({ state }) => state !== 'acknowledged')

/** Whether orders left the invalid channel, or a later stage put some there. */
function tookBack(before: Whereabouts['counters'], { counters }: Whereabouts): boolean {
  const later = pipeline.filter(({ from }) => from !== 'raw').map(rejectedBy)
  return ['replayed', 'discarded', ...later].some((name) => before[name] !== counters[name])
}
