import type { App } from '../../app.ts'
import { masterOf, mastersOf } from '../../redis/client.ts'
import { type Finding, ok, warning } from './finding.ts'

/** A master with half as much again as the mean is full, or busy, long before the others. */
const mostOfMean = 1.5

/** How evenly the partitions lie on the masters of a cluster; nothing to say of one Redis. */
export async function spread({ redis, partitions }: App): Promise<Finding[]> {
  const masters = mastersOf(redis)
  if (masters.length === 1) return []
  const holders = await Promise.all(partitions.map(({ counters }) => masterOf(redis, counters)))
  return [judgeSpread(masters.map((master) => holders.filter((holder) => holder === master).length))]
}

/** @param held how many partitions each master has */
export function judgeSpread(held: readonly number[]): Finding {
  const check = 'partitions'
  const total = held.reduce((sum, count) => sum + count, 0)
  const found = `${total} on ${held.length} masters: ${held.toSorted((a, b) => b - a).join(', ')}`
  if ((Math.max(...held) * held.length) / total <= mostOfMean) return ok(check, found)
  return warning(check, found, 'Move slots from the fullest, or repartition to a number that spreads: docs/scaling.md.')
}
