import { readConfig } from '../../src/config/config.ts'
import { makeKeys } from '../../src/keys.ts'
import { checkMessage } from '../../src/stages/rules.ts'
import {
  generationSeconds,
  identityOf,
  type LedgerRecord,
  ledgerRecord,
  orderLine,
} from '../../src/stages/runner/ledger.ts'
import { plainFormat } from '../../test/support/plain-format.ts'

/** The effects of every peer's stages on one order: the same rules, the same ledger and the same keys as ours. */
export const keys = makeKeys()

const config = readConfig({})
const place = {
  keys,
  buckets: config.ledgerBuckets,
  generation: Math.floor(Date.now() / 1_000 / generationSeconds(config)),
}

export interface Admitted {
  readonly user_id: string
  readonly minor: number
}

export function judge(body: string): Admitted & { readonly ledger: LedgerRecord } {
  const order = checkMessage(body, plainFormat)
  if ('code' in order) throw new Error(order.reason)
  if ('kind' in order) throw new Error('a correction')
  const ledger = ledgerRecord(orderLine(identityOf(order, plainFormat)), place)
  return { user_id: order.userId, minor: order.minor, ledger }
}

/** The part of a Redis client or transaction that the effects need. */
interface Commands {
  hincrby(key: string, field: string, by: number): unknown
  zincrby(key: string, by: number, member: string): unknown
}

export function count(redis: Commands, { user_id, minor }: Admitted): Promise<unknown> {
  const user = keys.userStats(user_id)
  return Promise.all([
    redis.hincrby(user, 'order_count', 1),
    redis.hincrby(user, 'total_spend_minor', minor),
    redis.hincrby(keys.globalStats, 'total_orders', 1),
    redis.hincrby(keys.globalStats, 'total_revenue_minor', minor),
  ])
}

export function rank(redis: Commands, { user_id, minor }: Admitted): Promise<unknown> {
  return Promise.all([
    redis.zincrby(keys.leaderboardSpend, minor, user_id),
    redis.zincrby(keys.leaderboardOrders, 1, user_id),
  ])
}
