import type { App } from '../../app.ts'
import { measure } from '../../reads/measure.ts'
import { sumBy } from '../../sums.ts'

/** Orders by stage; negative if lost orders came back. */
export type WrittenOff = Readonly<Record<string, number>>

/**
 * Books the orders that are missing from each stage's stream as lost. The script that measures a partition also books them,
 * so this is exact while orders flow, and a second call books nothing more.
 * @param mode `plan` only returns how much that would be
 * @throws OrdersError ORD_REDIS_REPLY as readBooks
 */
export async function writeOff(
  { redis, partitions, pipeline }: Pick<App, 'redis' | 'partitions' | 'pipeline'>,
  mode: 'plan' | 'write',
): Promise<WrittenOff> {
  const all = await Promise.all(partitions.map((keys) => measure({ redis, keys, pipeline }, mode)))
  const sums = pipeline.stages.map(({ name }, at) => [name, sumBy(all, ({ lost }) => lost[at] ?? 0)] as const)
  return Object.fromEntries(sums.filter(([, orders]) => orders !== 0))
}
