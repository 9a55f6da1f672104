import type { App } from '../../app.ts'
import type { Keys } from '../../keys.ts'
import type { RawRecord } from '../../messages.ts'
import { identityIn } from '../../order/identity.ts'
import { partitionOf } from '../../order/partition.ts'
import type { Rejection } from '../../reject-codes.ts'
import { decideRecord } from '../../stages/runner/decide.ts'
import {
  eventName,
  generationNow,
  type Line,
  ledgerRecord,
  messageName,
  orderName,
  rejectedLine,
} from '../../stages/runner/ledger.ts'
import { type FirstVerdict, weigh } from '../../stages/runner/weigh.ts'

/** The verdict that a record would get now. `duplicate`: the same order, or this rejected message, is in the ledger. */
export type Judgement =
  | { readonly verdict: 'admitted' | 'corrected' | 'duplicate' }
  | ({ readonly verdict: 'conflict' | 'rejected' } & Rejection)

/**
 * Opens a judge of records for the first stage: its rules, and the ledger as it is. It writes nothing, and remembers what it
 * has judged, as the ledger would.
 */
export async function openJudge(app: App): Promise<(record: RawRecord) => Promise<Judgement>> {
  const generation = await generationNow(app)
  const judged = new Map<string, string>()

  /** Reads what the ledger holds under a name, or would hold after what was judged before. */
  async function read({ name, userId }: Omit<Line, 'value'>, keys: Keys): Promise<[name: string, value: string]> {
    const place = { keys, buckets: app.config.ledgerBuckets, generation }
    const { current, previous, field } = ledgerRecord({ name, userId, value: '' }, place)
    const value = judged.get(name) ?? (await app.redis.hget(current, field)) ?? (await app.redis.hget(previous, field))
    return [name, value ?? '']
  }

  async function rejected(record: RawRecord, keys: Keys, { code, reason }: Rejection): Promise<Judgement> {
    const line = rejectedLine(messageName(record), identityIn(record.body, app.format).userId)
    const [, known] = await read(line, keys)
    if (known !== '') return { verdict: 'duplicate' }
    judged.set(line.name, line.value)
    return { verdict: code === 'conflict' ? 'conflict' : 'rejected', code, reason } as Judgement
  }

  async function weighed(verdict: FirstVerdict, keys: Keys): Promise<Judgement | Rejection> {
    const { identity } = verdict
    const names = [orderName(identity), ...('eventId' in identity ? [eventName(identity)] : [])]
    const known = new Map(await Promise.all(names.map((name) => read({ name, userId: identity.userId }, keys))))
    const found = weigh(verdict, (name) => known.get(name), app.format)
    if ('code' in found) return found
    for (const { name, value } of [found.line, ...(found.change ? [found.change] : [])]) judged.set(name, value)
    if (found.emit === undefined) return { verdict: 'duplicate' }
    return { verdict: found.change ? 'corrected' : 'admitted' }
  }

  return async (record) => {
    const keys = partitionOf(app, record.body)
    const decided = decideRecord({ stage: app.pipeline.first, keys, format: app.format }, record, () => {})
    if (decided.outcome === 'reject') return rejected(record, keys, decided)
    if (decided.outcome === 'pass') throw new Error('the first stage admits or rejects')
    const found = await weighed(decided, keys)
    return 'verdict' in found ? found : rejected(record, keys, found)
  }
}
