import { hash } from 'node:crypto'
import type { App, PartitionScope } from '../../app.ts'
import type { Config } from '../../config/config.ts'
import type { Keys } from '../../keys.ts'
import type { RawRecord } from '../../messages.ts'
import type { OrderFormat } from '../../order/format.ts'
import { userHash, userHashBits } from '../../partitions.ts'
import type { Rejection } from '../../reject-codes.ts'
import type { Correction, Order } from '../rules.ts'
import type { CorrectionIdentity, Identity, Standing } from '../stage.ts'

/** A ledger record: the two buckets that may hold it (this generation's and the last one's), its field and value. */
export interface LedgerRecord {
  readonly current: string
  readonly previous: string
  readonly field: string
  readonly value: string
}

/**
 * The ledger's generation by Redis' clock. The commit script refuses a plan made for another one. Two generations are
 * checked, so an order is remembered for at least LEDGER_DAYS and at most twice that.
 */
export interface LedgerEpoch {
  readonly generation: number
}

export const generationSeconds = ({ ledgerDays }: Pick<Config, 'ledgerDays'>): number => ledgerDays * 86_400

/** Returns the current generation by Redis' clock. */
export async function generationNow({ redis, config }: Pick<App, 'redis' | 'config'>): Promise<number> {
  const [seconds] = await redis.time()
  return Math.floor(Number(seconds) / generationSeconds(config))
}

/** Returns the mean number of records in a bucket of a generation, from a sample: keys are hashes, so any buckets will do. */
export async function meanBucket(
  { redis, config, keys }: Pick<PartitionScope, 'redis' | 'config' | 'keys'>,
  generation: number,
  sampled: number,
): Promise<number> {
  const count = Math.min(sampled, config.ledgerBuckets)
  const lengths = redis.pipeline()
  for (let i = 0; i < count; i++) lengths.hlen(keys.ledger(generation, Math.floor((i * config.ledgerBuckets) / count)))
  const replies = (await lengths.exec()) ?? []
  return replies.reduce((sum, [, length]) => sum + Number(length ?? 0), 0) / count
}

/** Returns the identity of an order. The fingerprint covers whole minor units: other digits of the same money are the same payload. */
export function identityOf(order: Order, { money }: OrderFormat): Identity {
  const items = order.items?.map(([product, quantity, price]) => [product, quantity, money.round(price)])
  const payload = JSON.stringify([money.round(order.value), items])
  return {
    userId: order.userId,
    orderId: order.orderId,
    minor: order.minor,
    fingerprint: hash('sha256', payload, 'base64url').slice(0, fingerprintLength),
  }
}

export function correctionIdentityOf(correction: Correction, { money }: OrderFormat): CorrectionIdentity {
  const { kind, userId, orderId, eventId, value } = correction
  const items = correction.items?.map(([product, quantity, price]) => [product, quantity, money.round(price)])
  const payload = JSON.stringify([kind, value === undefined ? null : money.round(value), items])
  const fingerprint = hash('sha256', payload, 'base64url').slice(0, fingerprintLength)
  return { userId, orderId, eventId, fingerprint }
}

/** A line of the ledger: the hash of `name` gives the field, and the user's the partition. */
export interface Line {
  readonly name: string
  readonly value: string
  /** Undefined for a message without a user. */
  readonly userId: string | undefined
}

/** Names an order. The length in front keeps ("a", "bc") and ("ab", "c") apart. */
export const orderName = ({ userId, orderId }: Pick<Identity, 'userId' | 'orderId'>): string =>
  `order ${userId.length} ${userId}${orderId}`

/** Names a correction of an order. */
export const eventName = ({ userId, orderId, eventId }: CorrectionIdentity): string =>
  `event ${userId.length} ${orderId.length} ${userId}${orderId}${eventId}`

/** Names a message in the ledger, with its body: another client may write two messages with one id. */
export const messageName = ({ id, body }: Pick<RawRecord, 'id' | 'body'>): string => `${id} ${body}`

/** Returns the line of a rejected message, so that a redelivery is not rejected again. @param userId if it has one */
export const rejectedLine = (message: string, userId: string | undefined): Line => ({
  name: `message ${message}`,
  value: rejectedValue,
  userId,
})

/*
 * The value of an order: fingerprint, and minor units as it was admitted. Once it is corrected, then a space and what is left
 * of it, in minor units, or `x` if it is cancelled. While it is undone, then ` u` and the tag of the undo: without that it is
 * the value that a redo restores.
 */

/** Returns the line of an order as it is admitted. */
export const orderLine = (identity: Identity): Line => ({
  name: orderName(identity),
  value: `${identity.fingerprint}${identity.minor}`,
  userId: identity.userId,
})

/** Returns the value of an order after a correction. @param known the value before */
export function correctedValue(known: string, { net, isCancelled, undoneBy }: Standing): string {
  if (undoneBy !== undefined) return `${known}${undoneMark}${undoneBy}`
  const [before = '', mark] = known.split(undoneMark)
  return mark === undefined ? `${admittedPart(known)} ${isCancelled ? 'x' : net}` : before
}

/** Returns true if an order is the one that is known, whatever became of it since. */
export const isKnownAs = (known: string, admitted: string): boolean =>
  known === admitted || admittedPart(known) === admitted

/** Reads what is left of an order. @param known the ledger's value for its identity */
export function standingIn(known: string): Standing {
  const [before = '', undoneBy] = known.slice(fingerprintLength).split(undoneMark)
  const [minor = '', left = minor] = before.split(' ')
  const isCancelled = left === 'x'
  const standing = { minor: Number(minor), net: isCancelled ? 0 : Number(left), isCancelled }
  return undoneBy === undefined ? standing : { ...standing, undoneBy }
}

export const isCorrected = (known: string): boolean => known.includes(' ')

const undoneMark = ' u'

const admittedPart = (known: string): string => known.split(' ', 1)[0] ?? ''

/** @param known the ledger's value for the identity */
export function conflictWith({ userId, orderId }: Identity, known: string, { money }: OrderFormat): Rejection {
  const value = money.minorText(standingIn(known).minor)
  return {
    code: 'conflict',
    reason: `Order ${orderId} of user ${userId} was already accepted with order_value ${value}`,
  }
}

export interface LedgerPlace {
  readonly keys: Keys
  readonly buckets: number
  readonly generation: number
}

/** 6 base64 characters are 36 bits: one changed order in 70 billion would pass for a repeat. */
const fingerprintLength = 6
const rejectedValue = '-'
/** 13 base64 characters of the digest, and 3 of the user's hash: with a billion orders the chance of any two colliding is 1 in 10^11. */
const digestLength = 13

/** Returns the ledger record of a line. */
export function ledgerRecord({ name, value, userId }: Line, { keys, buckets, generation }: LedgerPlace): LedgerRecord {
  const digest = hash('sha256', name, 'base64url') // as text: making a Buffer takes longer than the digest
  const bucket = uint32At(digest, digestLength) % buckets
  return {
    current: keys.ledger(generation, bucket),
    previous: keys.ledger(generation - 1, bucket),
    field: hashText(userId === undefined ? 0 : userHash(userId)) + digest.slice(0, digestLength),
    value,
  }
}

/** Returns the user's hash in a field, which gives its partition; undefined if the field has another form. */
export function userHashIn(field: string): number | undefined {
  if (!/^[\w-]{16}$/.test(field)) return undefined
  return field
    .slice(0, -digestLength)
    .split('')
    .reduce((hash, _, at) => hash * 64 + sixBits(field, at), 0)
}

function hashText(userHash: number): string {
  let text = ''
  for (let bits = userHashBits - 6; bits >= 0; bits -= 6) text += alphabet[(userHash >> bits) & 63]
  return text
}

/** Returns 32 bits of a base64url text, big-endian: five characters of 6 bits and 2 bits of a sixth. */
function uint32At(text: string, from: number): number {
  let bits = 0
  for (let i = from; i < from + 5; i++) bits = bits * 64 + sixBits(text, i)
  return bits * 4 + (sixBits(text, from + 5) >> 4)
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const values = Uint8Array.from({ length: 128 }, (_, code) => Math.max(0, alphabet.indexOf(String.fromCharCode(code))))
const sixBits = (text: string, at: number): number => values[text.charCodeAt(at)] ?? 0
