import { messageOf } from '../errors.ts'
import { isRefused } from '../redis/errors.ts'

/** A reading that failed, and why. */
export interface Unread {
  readonly reading: string
  readonly why: string
}

/** One of several readings: its value, or the reason why it has none. */
export interface Reading<T> {
  readonly value: T | undefined
  readonly unread: readonly Unread[]
}

/**
 * Waits for one of several readings. A refusal by Redis (a key of another type, a missing right) becomes part of the result,
 * so that it does not hide the others.
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

/** Describes a failed reading in one sentence. */
export const unreadText = ({ reading, why }: Unread): string => `Cannot read ${reading}: ${why.replace(/\.$/, '')}.`
