import { hash } from 'node:crypto'
import { amountsOf, type ReversalKind } from '../corrections.ts'
import type { RawRecord, ValidRecord } from '../messages.ts'
import { correct, type Verdict } from './stage.ts'

/** Names an undo in the ledger's value of an order: 48 bits of the hash of its name. */
export const undoTag = (name: string): string => hash('sha256', name, 'base64url').slice(0, 8)

/**
 * Takes an order back, or puts it back, once per undo. It changes nothing, and counts as a duplicate, where the order does not
 * stand as the job that sent it has read: a correction came after that, or another undo. The job looks, and sends it again.
 */
export function reverse({
  name,
  redo,
  parts,
  user_id,
  order_id,
}: NonNullable<RawRecord['undo']>): Verdict<ValidRecord> {
  const kind: ReversalKind = redo ? 'redone' : 'undone'
  const { orders, minor } = amountsOf(parts)
  // Its time is that of the order, for stages of your own. The calendar goes by that of each part.
  const { order_timestamp } = parts.find(({ correction }) => correction === undefined) ?? {}
  const emit = { user_id, order_id, minor, correction: kind, order_timestamp, undo: { name, parts } }
  const eventId = `${kind} ${name}`
  return correct({
    identity: { userId: user_id, orderId: order_id, eventId, fingerprint: kind },
    kind,
    correct: ({ undoneBy, ...left }) => {
      if (redo) return undoneBy === undoTag(name) ? { standing: left, emit } : 'done'
      if (undoneBy !== undefined || -minor !== left.net || -orders !== (left.isCancelled ? 0 : 1)) return 'done'
      return { standing: { ...left, undoneBy: undoTag(name) }, emit }
    },
  })
}
