import type { App } from '../../app.ts'
import type { OrderFormat } from '../../order/format.ts'
import { identityInRecord } from '../../order/identity.ts'
import { countText } from '../../reads/count-text.ts'
import { envelopeText } from '../../reads/envelope-text.ts'
import { hintIn } from '../../stages/hints/entry.ts'
import type { InvalidEntry } from '../../stages/invalid/entry.ts'
import { retryOf, retryText } from '../../stages/invalid/retries.ts'
import { idMs } from '../../stream-id.ts'
import { ageText } from './numbers.ts'
import { printableId } from './printable.ts'
import { timeText } from './times.ts'
import { cutTo, wrapped } from './wrapped.ts'

/** The columns in characters; the last one takes what is left of 80. */
const widths = [17, 4, 14, 16, 20] as const

/** Returns one line for each invalid order. Long ids are cut; `show` has them whole. */
export function invalidRows(records: readonly string[], format: OrderFormat, now: Date): string[] {
  const rows = records.map((json) => {
    const { id, code = '' } = JSON.parse(json) as { id: string; code?: string }
    const { userId = '-', orderId = '-' } = identityOf(json, format)
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
function identityOf(json: string, format: OrderFormat): Partial<ReturnType<typeof identityInRecord>> {
  try {
    return identityInRecord(json, format)
  } catch {
    return {}
  }
}

/** Returns all that is known of an invalid order, and the order itself in lines of its own. */
export function invalidLines(
  { id, json, text, record }: InvalidEntry,
  order: string,
  { format, config, now }: Pick<App, 'format' | 'config' | 'now'>,
): string[] {
  const { code, reason, ts, stage, attempts = 1, edits = [], envelope } = record
  const at = now()
  const hint = hintIn(json, format)
  const retry = text === undefined ? undefined : retryOf({ id, ...record }, config)
  const facts = [
    ['id', id],
    ['code', code],
    ['rejected', timeText(ts, at)],
    ...(stage === undefined ? [] : [['by stage', stage]]),
    ['attempts', countText(attempts)],
    ...(envelope ? [['came in', envelopeText(envelope)]] : []),
    ...edits.map(({ by, ts }) => ['edited', `${timeText(ts, at)}, by ${by}`]),
  ]
  return [
    ...facts.flatMap(([label = '', value = '']) => wrapped(`${label.padEnd(8)}  ${value}`)),
    ...wrapped(reason),
    ...(hint === undefined ? [] : wrapped(hint)),
    ...(retry ? wrapped(retryText(retry, at)) : []),
    '',
    ...order.split('\n'),
  ]
}
