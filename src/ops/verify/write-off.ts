import type { App } from '../../app.ts'
import { measure } from '../../reads/measure.ts'
import { pipeline } from '../../stages/pipeline.ts'

/** Orders by stage; below zero where lost orders came back. */
export type WrittenOff = Readonly<Record<string, number>>

/**
 * Books the orders that are missing from each stage's stream as lost, of each partition by the script that measures it: so
 * it is exact while orders flow, and done twice it books nothing more.
 * @param mode `plan` only says how much that would be
 * @throws OrdersError ORD_REDIS_REPLY as readBooks
 */
export async function writeOff(
  { redis, partitions }: Pick<App, 'redis' | 'partitions'>,
  mode: 'plan' | 'write',
): Promise<WrittenOff> {
  const all = await Promise.all(partitions.map((keys) => measure(redis, keys, mode)))
  const sums = pipeline.map(({ name }, at) => [name, all.reduce((sum, { lost }) => sum + (lost[at] ?? 0), 0)] as const)
  return Object.fromEntries(sums.filter(([, orders]) => orders !== 0))
}
