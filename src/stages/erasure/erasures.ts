import { z } from 'zod'
import type { App } from '../../app.ts'
import type { Keys } from '../../keys.ts'
import { identityDigest } from '../../order/identity.ts'
import { otherPartition, partitionFor } from '../../partitions.ts'
import type { RedisClient } from '../../redis/client.ts'
import { accountName, isAccount } from './account.ts'

/*
 * The erased users, each by a hash that `pipeline:erased` of each partition keeps forever. No field of that key is ever removed.
 * So its length is a version: a commit script refuses a plan that was made by another one. First the hash is written, then
 * the totals move to an anonymous account, which changes the length again. From the first on, messages of the user are
 * refused, and records on their way through the stages count for the account.
 */

/** The erased users of a partition, as a plan must know them. */
export interface Erasures {
  /** The length of `pipeline:erased`. */
  readonly version: number
  has(userId: string): boolean
}

/** Returns a hash that names a user without the id. */
export const userDigest = (userId: string): string => identityDigest(userId)

/** The field that says that the user's totals have moved. */
export const movedField = (digest: string): string => `${digest} moved`

/** The time of an erasure, and its id where Redis was not lost since. */
const mark = z.object({ at: z.iso.datetime(), erasure: z.string().optional() })
export type ErasureMark = z.output<typeof mark>

type Marked = Pick<App, 'redis' | 'partitions'>

/**
 * Writes down that a user is erased. In the user's own partition the stages refuse messages of the user by it, in any other
 * those that another client wrote there. A mark that stands stays.
 */
export async function markErased({ redis, partitions }: Marked, digest: string, erasure: ErasureMark): Promise<void> {
  for (const { erased } of partitions) await redis.hsetnx(erased, digest, JSON.stringify(erasure))
}

/** Returns when a user was erased; undefined if the user was not. */
export async function readErasedAt({ redis, partitions }: Marked, userId: string): Promise<string | undefined> {
  const found = await redis.hget(partitionFor(partitions, userId).erased, userDigest(userId))
  return found === null ? undefined : mark.parse(JSON.parse(found)).at
}

export const noErasures: Erasures = { version: 0, has: (userId) => isAccount(userId) }

export async function readErasures(redis: RedisClient, keys: Keys): Promise<Erasures> {
  const fields = new Set(await redis.hkeys(keys.erased))
  if (fields.size === 0) return noErasures
  return { version: fields.size, has: (userId) => isAccount(userId) || fields.has(userDigest(userId)) }
}

/** Returns a function that reads them once, and again after `forget`. */
export function openErasures(redis: RedisClient, keys: Keys): { now(): Promise<Erasures>; forget(): void } {
  let known: Promise<Erasures> | undefined
  const forget = (): void => {
    known = undefined
  }
  const now = async (): Promise<Erasures> => {
    known ??= readErasures(redis, keys)
    return known.catch((error: unknown) => {
      forget()
      throw error
    })
  }
  return { now, forget }
}

/**
 * Returns the anonymous account of a partition: the first one that belongs there, as every user does. A repartition moves
 * accounts like users.
 */
export function accountOf(keys: Keys): string {
  for (let at = 0; ; at++) {
    const account = accountName(at)
    if (otherPartition(account, keys) === undefined) return account
  }
}

/** Fields of a record that may hold anything of a person. */
const personal = ['shipping_address', 'payment_method', 'event_id', 'body', 'message_id', 'layers']

/** Returns a record that counts for the anonymous account, if its user is erased: without what may name the person. */
export function anonymous<R extends object>(record: R, erasures: Erasures, keys: Keys): R {
  if (!('user_id' in record) || typeof record.user_id !== 'string') return record
  if (isAccount(record.user_id) || !erasures.has(record.user_id)) return record
  return withoutUser(record as R & { user_id: string }, keys)
}

/** Returns a record of a user as the account's. An order gets a name that only says that it is another one. */
export function withoutUser<R extends { readonly user_id: string }>(record: R, keys: Keys): R {
  const kept = Object.entries(record).filter(([name]) => !personal.includes(name))
  const order = 'order_id' in record && { order_id: userDigest(`${record.user_id} ${record.order_id}`).slice(0, 16) }
  return { ...Object.fromEntries(kept), user_id: accountOf(keys), ...order } as unknown as R
}
