import { discardEntries } from '../../stages/invalid/requeue.ts'
import type { Build } from './feed.ts'
import type { Comparison } from './flip/flip.ts'
import { rejectedPages } from './flip/rejected.ts'
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
  let found = comparison
  while ((await discardHeld(build, found, by)) > 0) {
    found = await compareAll(build)
    requireSound(found, true)
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
