import { hash } from 'node:crypto'
import type { App } from '../app.ts'
import type { Config } from '../config.ts'
import type { Keys } from '../keys.ts'
import type { Rejection } from '../messages.ts'
import { minorText } from '../money.ts'
import type { Order } from './rules.ts'
import type { Identity } from './stage.ts'

/** One line of the ledger: the two buckets it may stand in (this generation's, the last one's), its field and value. */
export interface LedgerRecord {
  readonly current: string
  readonly previous: string
  readonly field: string
  readonly value: string
}

/**
 * Which generation it is, as Redis' own clock says; the commit script refuses a plan made for another one.
 * Two generations are looked at, so an order is remembered for LEDGER_DAYS at least and twice that at most.
 */
export interface LedgerEpoch {
  readonly generation: number
}

export const generationSeconds = ({ ledgerDays }: Config): number => ledgerDays * 86_400

/** By Redis' clock. */
export async function generationNow({ redis, config }: Pick<App, 'redis' | 'config'>): Promise<number> {
  const [seconds] = await redis.time()
  return Math.floor(Number(seconds) / generationSeconds(config))
}

/** How many lines a bucket of a generation holds in the mean, by so many of them: keys are hashes, so any are as good. */
export async function meanBucket(
  { redis, config, keys }: Pick<App, 'redis' | 'config' | 'keys'>,
  generation: number,
  sampled: number,
): Promise<number> {
  const count = Math.min(sampled, config.ledgerBuckets)
  const lengths = redis.pipeline()
  for (let i = 0; i < count; i++) lengths.hlen(keys.ledger(generation, Math.floor((i * config.ledgerBuckets) / count)))
  const replies = (await lengths.exec()) ?? []
  return replies.reduce((sum, [, length]) => sum + Number(length ?? 0), 0) / count
}

export function identityOf(order: Order): Identity {
  const payload = JSON.stringify([order.value, order.items])
  return {
    userId: order.userId,
    orderId: order.orderId,
    minor: order.minor,
    fingerprint: hash('sha256', payload, 'base64url').slice(0, fingerprintLength),
  }
}

/** An admitted order's line: same identity is the same field, same payload is the same value. */
export function admittedRecord(identity: Identity, where: LedgerPlace): LedgerRecord {
  // The length in front keeps ("a", "bc") and ("ab", "c") apart.
  const field = `order ${identity.userId.length} ${identity.userId}${identity.orderId}`
  return ledgerRecord(field, `${identity.fingerprint}${identity.minor}`, where)
}

/** A rejected message's line: the same message delivered again is not rejected again. */
export function rejectedRecord(message: string, where: LedgerPlace): LedgerRecord {
  return ledgerRecord(`message ${message}`, rejectedValue, where)
}

/** The minor units an order was admitted with. @param known the value the ledger holds for its identity */
export const admittedMinor = (known: string): number => Number(known.slice(fingerprintLength))

/** @param known the value the ledger holds for the identity */
export function conflictWith({ userId, orderId }: Identity, known: string): Rejection {
  const value = minorText(admittedMinor(known))
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
/** 16 base64 characters are 12 bytes: with a billion orders the chance of any two colliding is 1 in 10^11. */
const fieldLength = 16

function ledgerRecord(name: string, value: string, { keys, buckets, generation }: LedgerPlace): LedgerRecord {
  const digest = hash('sha256', name, 'base64url') // as text: a Buffer takes longer to make than the digest
  const bucket = uint32At(digest, fieldLength) % buckets
  return {
    current: keys.ledger(generation, bucket),
    previous: keys.ledger(generation - 1, bucket),
    field: digest.slice(0, fieldLength),
    value,
  }
}

/** The first 32 bits of what follows in a base64url text, big-endian: five characters of 6 bits and 2 bits of a sixth. */
function uint32At(text: string, from: number): number {
  let bits = 0
  for (let i = from; i < from + 5; i++) bits = bits * 64 + sixBits(text, i)
  return bits * 4 + (sixBits(text, from + 5) >> 4)
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const values = Uint8Array.from({ length: 128 }, (_, code) => Math.max(0, alphabet.indexOf(String.fromCharCode(code))))
const sixBits = (text: string, at: number): number => values[text.charCodeAt(at)] ?? 0
