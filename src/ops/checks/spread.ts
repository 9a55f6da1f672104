import type { App } from '../../app.ts'
import { masterOf, mastersOf } from '../../redis/cluster.ts'
import { sum } from '../../sums.ts'
import { type Finding, ok, warning } from './finding.ts'

/** A master with 1.5 times the mean is full, or busy, long before the others. */
const maxOfMean = 1.5

/** Checks that the partitions are spread evenly over the masters of a cluster. Returns nothing for a single Redis. */
export async function spread({ redis, partitions }: App): Promise<Finding[]> {
  const masters = mastersOf(redis)
  if (masters.length === 1) return []
  const holders = await Promise.all(partitions.map(({ counters }) => masterOf(redis, counters)))
  return [judgeSpread(masters.map((master) => holders.filter((holder) => holder === master).length))]
}

/** @param held number of partitions on each master */
export function judgeSpread(held: readonly number[]): Finding {
  const check = 'partitions'
  const total = sum(held)
  const found = `${total} on ${held.length} masters: ${held.toSorted((a, b) => b - a).join(', ')}`
  if ((Math.max(...held) * held.length) / total <= maxOfMean) return ok(check, found)
  return warning(check, found, 'Move slots from the fullest, or repartition to a number that spreads: docs/scaling.md.')
}
