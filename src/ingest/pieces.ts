import { sumBy } from '../sums.ts'
import { lengthOf } from './enqueue.ts'
import type { Received } from './envelope/received.ts'

/** Orders in one write: each stage reads whole entries, and commits a few hundred records at once. */
const maxOrders = 100
/** Characters in one write. As JSON they may double, and Redis does nothing else while it takes them. */
const maxLength = 8_000_000

export interface Size {
  readonly orders: number
  readonly length: number
}

export const sizeOf = (received: readonly Received[]): Size => ({
  orders: received.length,
  length: sumBy(received, ({ record }) => lengthOf(record)),
})

/** Returns how many from the front go into one write together: as many as fit, and one at least. */
export function countFitting<T>(items: readonly T[], size: (item: T) => Size): number {
  let [orders, length] = [0, 0]
  const count = items.findIndex((item) => {
    const own = size(item)
    orders += own.orders
    length += own.length
    return orders > maxOrders || length > maxLength
  })
  return count === -1 ? items.length : Math.max(1, count)
}

/** Cuts orders into pieces, each for one write. */
export function inPieces(received: readonly Received[]): Received[][] {
  const pieces: Received[][] = []
  for (let left = [...received]; left.length > 0; )
    pieces.push(
      left.splice(
        0,
        countFitting(left, (one) => sizeOf([one])),
      ),
    )
  return pieces
}
