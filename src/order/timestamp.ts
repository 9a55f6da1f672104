/** No date is longer. */
const maxLength = 64

/** Returns an order_timestamp as it is passed on: a number as text, and undefined for what cannot be a date. */
export function timestampText(value: unknown): string | undefined {
  if (typeof value === 'number' && Number.isFinite(value)) return String(value)
  return typeof value === 'string' && value.length <= maxLength && value.isWellFormed() ? value : undefined
}
