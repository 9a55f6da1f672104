import type { App } from '../../app.ts'
import { partitionFor } from '../../partitions.ts'
import { readErasures } from '../../stages/erasure/erasures.ts'
import type { Affected } from './collect.ts'

/**
 * Leaves out the orders of erased users. The ledger knows them by an identity that nothing names any more, and validate refuses
 * every record of their users. An erasure that is under way counts: the archive may still name its user.
 */
export async function withoutErased<Order extends Affected>(
  { redis, partitions }: Pick<App, 'redis' | 'partitions'>,
  orders: readonly Order[],
): Promise<Order[]> {
  const known = new Map(
    await Promise.all(partitions.map(async (keys) => [keys, await readErasures(redis, keys)] as const)),
  )
  return orders.filter(({ userId }) => !known.get(partitionFor(partitions, userId))?.has(userId))
}
