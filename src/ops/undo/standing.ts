import type { App, PartitionScope } from '../../app.ts'
import { partitionFor } from '../../partitions.ts'
import { unwrapReplies } from '../../redis/client.ts'
import { undoTag } from '../../stages/reversal.ts'
import { generationNow, ledgerRecord, orderName, standingIn } from '../../stages/runner/ledger.ts'
import type { Affected } from './collect.ts'

/** Where an order is, by the ledger: it stands, this undo or another one has taken it back, or it is not known any more. */
export type Place = 'stands' | 'undone' | 'elsewhere' | 'forgotten'

/** Orders per pipeline: two reads each. */
const chunkSize = 1_000

/** Reads for each order where it is. */
export async function placesOf(app: App, orders: readonly Affected[], name: string): Promise<Place[]> {
  const places = new Map<Affected, Place>()
  for (const [keys, own] of Map.groupBy(orders, ({ userId }) => partitionFor(app.partitions, userId))) {
    const generation = await generationNow(app)
    for (let from = 0; from < own.length; from += chunkSize) {
      const chunk = own.slice(from, from + chunkSize)
      const read = await readPlaces({ ...app, keys }, chunk, generation, undoTag(name))
      for (const [at, order] of chunk.entries()) places.set(order, read[at] ?? 'forgotten')
    }
  }
  return orders.map((order) => places.get(order) ?? 'forgotten')
}

/** Of one partition: a pipeline must not go to several nodes of a cluster. */
async function readPlaces(
  { redis, config, keys }: PartitionScope,
  orders: readonly Affected[],
  generation: number,
  tag: string,
): Promise<Place[]> {
  const read = redis.pipeline()
  for (const { userId, orderId } of orders) {
    const line = { name: orderName({ userId, orderId }), value: '', userId }
    const { current, previous, field } = ledgerRecord(line, { keys, buckets: config.ledgerBuckets, generation })
    read.hget(current, field).hget(previous, field)
  }
  const values = unwrapReplies(await read.exec())
  return orders.map((_, at) => {
    const known = values[2 * at] ?? values[2 * at + 1]
    if (typeof known !== 'string') return 'forgotten'
    const { undoneBy } = standingIn(known)
    if (undoneBy === undefined) return 'stands'
    return undoneBy === tag ? 'undone' : 'elsewhere'
  })
}
