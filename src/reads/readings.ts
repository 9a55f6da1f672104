import { messageOf, OrdersError } from '../errors.ts'
import { isForbidden } from '../redis/rights.ts'

/** What could not be read, and why. */
export interface Unread {
  readonly reading: string
  readonly why: string
}

/** One of several readings: its value, or why there is none. */
export interface Reading<T> {
  readonly value: T | undefined
  readonly unread: readonly Unread[]
}

/**
 * Waits for one of several readings, so that what Redis refuses of it (a key of another type, a right that is missing) is
 * named, and hides none of the others.
 * @throws every other error: Redis is away
 */
export async function readApart<T>(reading: string, asked: Promise<T>): Promise<Reading<T>> {
  try {
    return { value: await asked, unread: [] }
  } catch (error) {
    if (!isRefused(error)) throw error
    return { value: undefined, unread: [{ reading, why: messageOf(error) }] }
  }
}

function isRefused(error: unknown): boolean {
  if (error instanceof OrdersError) return error.code === 'ORD_REDIS_REPLY'
  if (isForbidden(error)) return true
  return /^(ERR|ORDERS|WRONGTYPE)/.test(error instanceof Error ? error.message : '')
}

/** One sentence for people. */
export const unreadText = ({ reading, why }: Unread): string => `Cannot read ${reading}: ${why.replace(/\.$/, '')}.`
