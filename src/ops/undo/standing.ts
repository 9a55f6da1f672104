import type { App } from '../../app.ts'
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
  const places: Place[] = []
  for (let from = 0; from < orders.length; from += chunkSize) {
    places.push(...(await readPlaces(app, orders.slice(from, from + chunkSize), undoTag(name))))
  }
  return places
}

async function readPlaces(app: App, orders: readonly Affected[], tag: string): Promise<Place[]> {
  const { redis, config, partitions } = app
  const generation = await generationNow(app)
  const read = redis.pipeline()
  for (const { userId, orderId } of orders) {
    const place = { keys: partitionFor(partitions, userId), buckets: config.ledgerBuckets, generation }
    const line = { name: orderName({ userId, orderId }), value: '', userId }
    const { current, previous, field } = ledgerRecord(line, place)
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
