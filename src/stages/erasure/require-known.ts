import { OrdersError } from '../../errors.ts'
import { partitionFor } from '../../partitions.ts'
import { readErasedAt } from './erasures.ts'
import { readHeld } from './move-totals.ts'
import type { Erasing } from './place.ts'
import { placesOf } from './places.ts'

/**
 * Refuses to erase a user whom nothing names, as after a typo: all messages of the id would be refused for ever. Who was erased
 * before is known. Reads all places only for an unknown one.
 * @throws OrdersError ORD_UNKNOWN_USER
 */
export async function requireKnown(erasing: Erasing): Promise<void> {
  const { app, userId } = erasing
  if ((await readErasedAt(app, userId)) !== undefined) return
  const { totals, months } = await readHeld({ ...app, keys: partitionFor(app.partitions, userId) }, userId)
  if (totals || months.size > 0) return
  for (const [, place] of placesOf(erasing)) for await (const { isPassing } of place(erasing)) if (!isPassing) return
  throw unknownUser(userId)
}

export const unknownUser = (userId: string): OrdersError =>
  new OrdersError(
    'ORD_UNKNOWN_USER',
    `Nothing names the user ${JSON.stringify(userId)}: check the id. To refuse its future messages all the same, add --unknown, or ?unknown=erase over HTTP.`,
  )
