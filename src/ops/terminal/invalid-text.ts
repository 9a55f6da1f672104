import { identityInRecord } from '../../order/identity.ts'
import { countText } from '../../reads/count-text.ts'
import { envelopeText } from '../../reads/envelope-text.ts'
import { hintIn } from '../../stages/hints/entry.ts'
import type { InvalidEntry } from '../../stages/invalid/entry.ts'
import { idMs } from '../../stream-id.ts'
import { ageText } from './numbers.ts'
import { printableId } from './printable.ts'
import { timeText } from './times.ts'
import { cutTo, wrapped } from './wrapped.ts'

/** The columns in characters; the last one takes what is left of 80. */
const widths = [17, 4, 14, 16, 20] as const

/** Returns one line for each invalid order. Long ids are cut; `show` has them whole. */
export function invalidRows(records: readonly string[], now: Date): string[] {
  const rows = records.map((json) => {
    const { id, code = '' } = JSON.parse(json) as { id: string; code?: string }
    const { userId = '-', orderId = '-' } = identityOf(json)
    return [id, ageText(now.getTime() - idMs(id)), code, printableId(userId), printableId(orderId)]
  })
  return [['id', 'age', 'code', 'user', 'order'], ...rows].map((cells) =>
    widths
      .map((width, at) => cutTo(width, cells[at] ?? '').padEnd(width))
      .join('  ')
      .trimEnd(),
  )
}

/** Another client may have written a record that is not ours. */
function identityOf(json: string): Partial<ReturnType<typeof identityInRecord>> {
  try {
    return identityInRecord(json)
  } catch {
    return {}
  }
}

/** Returns all that is known of an invalid order, and the order itself in lines of its own. */
export function invalidLines({ id, json, record }: InvalidEntry, order: string, now: Date): string[] {
  const { code, reason, ts, stage, attempts = 1, edits = [], envelope } = record
  const hint = hintIn(json)
  const facts = [
    ['id', id],
    ['code', code],
    ['rejected', timeText(ts, now)],
    ...(stage === undefined ? [] : [['by stage', stage]]),
    ['attempts', countText(attempts)],
    ...(envelope ? [['came in', envelopeText(envelope)]] : []),
    ...edits.map(({ by, ts }) => ['edited', `${timeText(ts, now)}, by ${by}`]),
  ]
  return [
    ...facts.flatMap(([label = '', value = '']) => wrapped(`${label.padEnd(8)}  ${value}`)),
    ...wrapped(reason),
    ...(hint === undefined ? [] : wrapped(hint)),
    '',
    ...order.split('\n'),
  ]
}
