import type { App } from '../../app.ts'
import type { Keys } from '../../keys.ts'
import type { RawRecord } from '../../messages.ts'
import { identityIn } from '../../order/identity.ts'
import { partitionOf } from '../../order/partition.ts'
import type { Rejection } from '../../reject-codes.ts'
import {
  admittedRecord,
  conflictWith,
  generationNow,
  type LedgerRecord,
  messageName,
  rejectedRecord,
} from '../../stages/runner/ledger.ts'
import { decideRecord } from '../../stages/runner/plan.ts'
import type { Identity } from '../../stages/stage.ts'

/** The verdict that a record would get now. `duplicate`: the same order, or this rejected message, is in the ledger. */
export type Judgement =
  | { readonly verdict: 'admitted' | 'duplicate' }
  | ({ readonly verdict: 'conflict' | 'rejected' } & Rejection)

/**
 * Opens a judge of records for the first stage: its rules, and the ledger as it is. It writes nothing, and remembers what it
 * has judged, as the ledger would.
 */
export async function openJudge(app: App): Promise<(record: RawRecord) => Promise<Judgement>> {
  const generation = await generationNow(app)
  const judgedBefore = new Map<string, string>()

  /** Returns the value that is known for a ledger record; after this call its own. */
  async function recall({ current, previous, field, value }: LedgerRecord): Promise<string | null> {
    const known =
      judgedBefore.get(field) ?? (await app.redis.hget(current, field)) ?? (await app.redis.hget(previous, field))
    if (known === null) judgedBefore.set(field, value)
    return known
  }

  async function rejected(record: RawRecord, keys: Keys, rejection: Rejection): Promise<Judgement> {
    const { userId } = identityIn(record.body, app.format)
    const place = { keys, buckets: app.config.ledgerBuckets, generation, userId }
    const { code, reason } = rejection
    if ((await recall(rejectedRecord(messageName(record), place))) !== null) return { verdict: 'duplicate' }
    return { verdict: code === 'conflict' ? 'conflict' : 'rejected', code, reason } as Judgement
  }

  async function admitted(identity: Identity, keys: Keys): Promise<Rejection | 'admitted' | 'duplicate'> {
    const own = admittedRecord(identity, { keys, buckets: app.config.ledgerBuckets, generation })
    const known = await recall(own)
    if (known === null) return 'admitted'
    return known === own.value ? 'duplicate' : conflictWith(identity, known, app.format)
  }

  return async (record) => {
    const keys = partitionOf(app, record.body)
    const decided = decideRecord({ stage: app.pipeline.first, keys, format: app.format }, record, () => {})
    if (decided.outcome === 'reject') return rejected(record, keys, decided)
    if (decided.outcome !== 'admit') throw new Error('the first stage admits or rejects')
    const found = await admitted(decided.identity, keys)
    return typeof found === 'string' ? { verdict: found } : rejected(record, keys, found)
  }
}
