import { z } from 'zod'
import { envelope, type RawRecord } from './messages.ts'

/* Fields that records have beyond those of their kind, because a stage needs them. */

const carriedItem = z.looseObject({
  product_id: z.unknown(),
  quantity: z.number().optional(),
  price_per_unit: z.number().optional(),
})

/** Fields of an order that a stage may ask for by `needs`: validate carries along those that some stage needs. */
const orderFields = {
  items: z.array(carriedItem).optional(),
  shipping_address: z.string().optional(),
  payment_method: z.string().optional(),
}

/** Fields of the message that brought an order. No record is refused without them, so a stage may ask for them at any time. */
const messageFields = {
  /** The order as received, without its envelopes. */
  body: z.string().optional(),
  /** The id of the SQS message, or what names the order that was requeued. */
  message_id: z.string().optional(),
  /** The envelopes that it was in, outermost first. */
  layers: envelope.shape.layers.optional(),
}

export const carriedFields = { ...orderFields, ...messageFields }

/** Returns whether a field is one of the order, not of the message that brought it. */
export const isOrderField = (name: CarriedName): boolean => name in orderFields

/** Returns those of the fields that the message has. */
export function messageFieldsOf({ id, body, envelope }: RawRecord, names: readonly CarriedName[]): Carried {
  const sent = { body, message_id: id, layers: envelope?.layers }
  return Object.fromEntries(
    Object.entries(sent).filter(([name, value]) => value !== undefined && names.includes(name as CarriedName)),
  )
}

export type CarriedName = keyof typeof carriedFields
export type Carried<Name extends CarriedName = CarriedName> = {
  readonly [N in Name]?: z.output<(typeof carriedFields)[N]>
}

/** Returns those of the fields that have the type that stages expect. */
export function carriedFrom(sent: Readonly<Record<string, unknown>>, names: readonly CarriedName[]): Carried {
  const found = names.flatMap((name) => {
    const value = Object.hasOwn(sent, name) ? sent[name] : undefined
    return value !== undefined && carriedFields[name].safeParse(value).success ? [[name, value] as const] : []
  })
  return Object.fromEntries(found)
}
