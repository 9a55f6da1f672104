import type { OrderFormat } from '../order/format.ts'
import { identityIn } from '../order/identity.ts'
import type { RedriveData, ReplayData, ReprocessData } from './job-queues.ts'
import type { UndoData } from './undo/undo-job.ts'

/** An id of 256 characters would fill the list of jobs. */
const maxPart = 40

/** Names a job by what it does and for whom, as the list of jobs shows it: `edit of order 6f1c of user_7 by ann`. */
export function reprocessName({ body, edit }: ReprocessData, format: OrderFormat, by: string): string {
  const { orderId, userId } = identityIn(body, format)
  const order = [orderId && ` ${shown(orderId)}`, userId && ` of ${shown(userId)}`].filter(Boolean).join('')
  return `${edit ? 'edit of order' : 'order'}${order} by ${shown(by)}`
}

/** Names a correction: `refund of order 6f1c of user_7 by ann`. */
export function correctionName({
  correction,
  orderId,
  userId,
  by,
}: Readonly<Record<'correction' | 'orderId' | 'userId' | 'by', string>>): string {
  return `${correction} of order ${shown(orderId)} of ${shown(userId)} by ${shown(by)}`
}

/** Names a replay: `replay of 10 orders, bad-value only, by ann`. */
export function replayName({ dryRun, limit, code, ids }: ReplayData, by: string): string {
  const many = ids ? `${ids.length}` : `up to ${limit.toLocaleString('en')}`
  const what = `${many} ${ids?.length === 1 ? 'order' : 'orders'}`
  return `${dryRun ? 'dry run' : 'replay'} of ${what}${code ? `, ${code} only,` : ''} by ${shown(by)}`
}

/** Names a redrive: `redrive of up to 1,000 messages by ann`. */
export function redriveName({ dryRun, limit }: RedriveData, by: string): string {
  return `${dryRun ? 'dry run of a redrive' : 'redrive'} of up to ${limit.toLocaleString('en')} messages by ${shown(by)}`
}

/** Names an undo or a redo: `undo twice by ann`. */
export function undoName({ name, redo, dryRun }: UndoData, by: string): string {
  const what = `${redo ? 'redo' : 'undo'} ${shown(name)}`
  return `${dryRun ? `dry run of ${what}` : what} by ${shown(by)}`
}

/** Cuts a text, and takes out what would be invisible or turn the rest around. */
function shown(text: string): string {
  const clean = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\u{fffd}').toWellFormed()
  const characters = [...clean]
  return characters.length > maxPart ? `${characters.slice(0, maxPart - 1).join('')}…` : clean
}
