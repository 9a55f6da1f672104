import { z } from 'zod'
import { lastMs } from './stream-id.ts'

/** The corrections of an order, as the `event` of their messages names them behind `order.`. */
export const correctionKinds = ['cancelled', 'refunded', 'amended'] as const
export type CorrectionKind = (typeof correctionKinds)[number]

/** Kinds of records that only a job writes: `orders undo` takes an order back whole, `orders redo` puts it back. */
export const reversalKinds = ['undone', 'redone'] as const
export type ReversalKind = (typeof reversalKinds)[number]

export const recordedKinds = [...correctionKinds, ...reversalKinds] as const
export type RecordedKind = CorrectionKind | ReversalKind

/** A time of an order that every zone can place, in ms. */
export const orderMs = z.int().min(0).max(lastMs)

/**
 * A record of an order, or of its correction, that is counted again with the other sign. It has all that its day follows from,
 * so that it changes the day on which it was counted first.
 */
export const reversedPart = z.object({
  /** -1 of a record that is taken back, 1 of one that is put back. */
  records: z.int(),
  /** By how much it changes the spend now. */
  minor: z.int(),
  /** Absent of the order itself. */
  correction: z.enum(correctionKinds).optional(),
  order_timestamp: z.string().optional(),
  /** When it was sent to SQS, and when it was admitted, in ms. */
  sent: orderMs,
  at: orderMs,
})
export type ReversedPart = z.output<typeof reversedPart>

/** Takes one order back, or puts it back. */
export const reversal = z.object({
  /** Of the undo. */
  name: z.string().min(1),
  parts: z.array(reversedPart).min(1),
})
export type Reversal = z.output<typeof reversal>

/** By how much a record, or a part of a reversal, changes the number of orders. */
export const ordersOfPart = ({ correction, records }: Pick<ReversedPart, 'correction' | 'records'>): number => {
  if (correction === undefined) return records
  return correction === 'cancelled' ? -records : 0
}

export interface Amounts {
  readonly orders: number
  readonly minor: number
}

/** Adds up what parts change. */
export function amountsOf(parts: readonly ReversedPart[]): Amounts {
  return parts.reduce(
    ({ orders, minor }, part) => ({ orders: orders + ordersOfPart(part), minor: minor + part.minor }),
    { orders: 0, minor: 0 },
  )
}
