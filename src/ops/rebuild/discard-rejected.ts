import { OrdersError } from '../../errors.ts'
import { discardEntries } from '../../stages/invalid/requeue.ts'
import { countOf } from '../terminal/numbers.ts'
import type { Build } from './feed.ts'
import type { Comparison } from './flip/flip.ts'
import { rejectedPages } from './flip/rejected.ts'
import { flushSoon } from './flush-soon.ts'
import { compareAll, requireSound } from './rebuild.ts'

/**
 * Discards the orders that stages have rejected and a flip will count, so that no replay counts them again. What the archive
 * lacks stays rejected. It compares again after that, until no stage has rejected any meanwhile: what is rejected later is not
 * in the comparison, and stays. Killed in between, it goes on: what is discarded still counts as rejected until the flip.
 * @param by the operator
 * @returns the comparison to flip
 * @throws OrdersError ORD_BOOKS if a flip would forget orders now
 */
export async function discardRejected(build: Build, comparison: Comparison, by: string): Promise<Comparison> {
  for (let found = comparison; ; found = await compareSound(build)) {
    found = await allWritten(build, found)
    if ((await discardHeld(build, found, by)) === 0) return found
  }
}

async function compareSound(build: Build): Promise<Comparison> {
  const found = await compareAll(build)
  requireSound(found, true)
  return found
}

/** Stages may reject more while the archive writes. */
const maxFlushes = 3

/**
 * Compares until the archive has written all that was rejected: only then is it in what was built.
 * @throws OrdersError ORD_BOOKS if it does not write
 */
async function allWritten(build: Build, comparison: Comparison): Promise<Comparison> {
  let found = comparison
  for (let flushes = 0; found.unwritten > 0; flushes++) {
    const what = `The archive has yet to write ${countOf(found.unwritten, 'order')} that stages rejected`
    if (flushes === maxFlushes)
      throw new OrdersError('ORD_BOOKS', `${what}, so there is no flip. See that it runs, and run this again.`)
    await flushSoon(build.app, build.alive)
    found = await compareSound(build)
  }
  return found
}

/** Says what a flip discards, for the question before it; '' if nothing. */
export const discardText = ({ rejected }: Pick<Comparison, 'rejected'>): string =>
  rejected.size === 0 ? '' : ' It also counts orders that were rejected, and discards them.'

/** Discards what a replay would bring back to the stages. @returns how many there were */
async function discardHeld(build: Build, { rejected, held }: Comparison, by: string): Promise<number> {
  const why = { reason: 'counted from the archive, by orders rebuild --count-rejected', by }
  let discarded = 0
  const stages = [...rejected.keys()]
  for await (const page of stages.length > 0 ? rejectedPages(build, stages) : []) {
    const own = page.filter(({ entry, stage }) => held.get(stage)?.has(entry.id))
    await build.alive()
    discarded += await discardEntries(
      build.app,
      own.map(({ entry }) => entry),
      why,
    )
  }
  return discarded
}
