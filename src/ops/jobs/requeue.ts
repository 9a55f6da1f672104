import type { App } from '../../app.ts'
import type { InvalidEntry } from '../../stages/invalid/entry.ts'
import { type RequeueOptions, replayEntries } from '../../stages/invalid/requeue.ts'
import { openAgain, type Reopening } from './open-again.ts'
import { type Replacement, replaceEntries } from './replace.ts'

/** Requeues entries as they are, or as the bridge would open them now. Returns how many of them it requeued. */
export async function requeueEntries(
  app: App,
  entries: readonly InvalidEntry[],
  options: RequeueOptions,
  reopening: Reopening,
): Promise<number> {
  const asTheyAre: InvalidEntry[] = []
  const replacements: Replacement[] = []
  for (const entry of entries) {
    const records = await openAgain(app, entry, reopening)
    if (records) replacements.push({ entry, records })
    else asTheyAre.push(entry)
  }
  const replaced = await replaceEntries(app, replacements, options, reopening.signal)
  return replaced + (await replayEntries(app, asTheyAre, options)).length
}
