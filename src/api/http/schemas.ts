import { z } from 'zod'
import { identityText } from '../../order/identity.ts'
import { isRawJson } from '../../order/raw-json.ts'

/** A whole number in a query. */
export function integerParam(min: number, max: number, fallback: number, description: string) {
  const override = { type: 'integer' as const, minimum: min, maximum: max, default: fallback }
  return integer(min, max).default(fallback).meta({ description, override })
}

/** The same, undefined where it is not given. */
export function optionalInteger(min: number, max: number, description: string) {
  return integer(min, max)
    .optional()
    .meta({ description, override: { type: 'integer', minimum: min, maximum: max } })
}

function integer(min: number, max: number) {
  const expected = `must be a whole number from ${min} to ${max}`
  const inRange = (text: string): boolean => /^\d{1,16}$/.test(text) && Number(text) >= min && Number(text) <= max
  return z.string(expected).refine(inRange, expected).transform(Number)
}

/** A JSON number in currency units, as `toAmount` of Money returns it. */
export const amount = z
  .custom<number>((value) => typeof value === 'number' || isRawJson(value))
  .meta({
    description: 'Currency units, exact to the minor unit.',
    override: { type: 'number', examples: [150.75] },
  })

/** The path of what is a user's. */
export const userParams = z.object({ user_id: z.string().meta({ description: 'Which user.' }) })

/** An id of a user, an order or an event, as the rules take it. */
export const identity = z
  .unknown()
  .refine(
    (value) => identityText(value) !== undefined,
    'must be a non-empty string of at most 256 characters, or an integer of at most 256 digits',
  )
  .meta({ override: { anyOf: [{ type: 'string', minLength: 1, maxLength: 256 }, { type: 'integer' }] } })
