import type { App } from '../../../app.ts'
import { archive } from '../../../stages/archive/archive.ts'
import { firstBegin, readBegins, soundUntil } from '../../../stages/missed-before.ts'
import type { Stage } from '../../../stages/placed.ts'
import { compareIds, newestId } from '../../../stream-id.ts'
import { sumBy } from '../../../sums.ts'

/** Orders and corrections that the archive has missed, as it began later than the system or was away. */
export interface Gap {
  readonly missed: number
  /** The id of the entry from which on the archive has had all. */
  readonly before: string
}

/**
 * Finds the stages that may have counted what the archive has missed. One that began later has not. Nor has one that was sound
 * at a flip since: `markSound` has written that down.
 */
export async function gapsOf(
  app: Pick<App, 'redis' | 'partitions' | 'pipeline'>,
  stages: readonly Stage[],
): Promise<ReadonlyMap<string, Gap>> {
  const kept = app.pipeline.stage(archive.name)
  if (!kept) return new Map()
  const all = await Promise.all(app.partitions.map((keys) => readBegins(app.redis, keys, [kept, ...stages])))
  const found = stages.flatMap(({ name }): [string, Gap][] => {
    const gaps = all.flatMap(({ begins, missed }) => {
      const before = begins[kept.name]
      const from = newestId([soundUntil(begins, name), firstBegin(begins, name, missed.get(name))])
      const isGap = before !== undefined && from !== undefined && compareIds(from, before) < 0
      return isGap ? [{ missed: missed.get(kept.name) ?? 0, before }] : []
    })
    const before = newestId(gaps.map((gap) => gap.before))
    return before === undefined ? [] : [[name, { missed: sumBy(gaps, (gap) => gap.missed), before }]]
  })
  return new Map(found)
}
