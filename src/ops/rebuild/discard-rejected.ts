import { readOldest } from '../../stages/invalid/oldest.ts'
import { discardEntries, returningRecord } from '../../stages/invalid/requeue.ts'
import { minId } from '../../stream-id.ts'
import type { Build } from './feed.ts'
import type { Comparison } from './flip/flip.ts'
import { compareAll, requireSound } from './rebuild.ts'

/**
 * Discards the orders that stages have rejected and a flip will count, so that no replay counts them again. It compares again
 * after that, until no stage has rejected any meanwhile: what is rejected later is not in the comparison, and stays. Killed in
 * between, it goes on: what is discarded still counts as rejected until the flip.
 * @param by the operator
 * @returns the comparison to flip
 * @throws OrdersError ORD_BOOKS if a flip would forget orders now
 */
export async function discardRejected(build: Build, comparison: Comparison, by: string): Promise<Comparison> {
  let found = comparison
  while (found.rejected.size > 0 && (await discardOf(build, [...found.rejected.keys()], by)) > 0) {
    found = await compareAll(build)
    requireSound(found, true)
  }
  return found
}

/** Says what a flip discards, for the question before it; '' if nothing. */
export const discardText = ({ rejected }: Pick<Comparison, 'rejected'>): string =>
  rejected.size === 0 ? '' : ' It also counts orders that were rejected, and discards them.'

/** Entries per script: some have 1 MB. */
const readCount = 50

/** Discards what a replay would bring back to the stages. @returns how many there were */
async function discardOf({ app, alive }: Build, stages: readonly string[], by: string): Promise<number> {
  const why = { reason: 'counted from the archive, by orders rebuild --count-rejected', by }
  let discarded = 0
  for (let after: string | undefined = minId; after !== undefined; ) {
    const entries = await readOldest(app.redis, app.partitions, { after, until: '+', count: readCount })
    const own = entries.filter((entry) => stages.includes(returningRecord(app, entry)?.stage.name ?? ''))
    await alive()
    discarded += await discardEntries(app, own, why)
    after = entries.at(-1)?.id
  }
  return discarded
}
