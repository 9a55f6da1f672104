import { momentText } from '../../../calendar/moment.ts'
import type { UndoResult } from '../../../control/undo/undo-job.ts'
import type { BlastRadius, Undo } from '../../../control/undo/undos.ts'
import type { OrderFormat } from '../../../order/format.ts'
import { countText } from '../../../reads/count-text.ts'
import { amountText, countOf, ordersText } from '../numbers.ts'
import { printable } from '../printable.ts'
import { factLines, shortName, table } from '../table.ts'
import { wrapped } from '../wrapped.ts'

/** Formats an amount in currency units. */
function moneyText(amount: number, { money }: OrderFormat): string {
  return amountText(Math.round(amount * 10 ** money.decimals), money)
}

/** Returns what became of an undo or a redo; of a dry run, what an undo would change. */
export function undoLines(result: UndoResult, format: OrderFormat): string[] {
  const { dry_run, redo, cancelled, orders, users, revenue, left_reason, radius } = result
  if (dry_run) return ['Dry run, nothing was sent.', ...(radius ? radiusLines(radius, format) : [])]
  const done = `${ordersText(orders, '?')} of ${countOf(users, 'user')} with ${moneyText(revenue, format)}`
  const all = `${redo ? 'Put back' : 'Taken back'}: ${done}.`
  return [
    ...(cancelled ? ['It was cancelled: run the same command again to go on.'] : []),
    ...wrapped(all),
    ...(left_reason === undefined ? [] : wrapped(left_reason)),
  ]
}

/** Returns what became of an undo that was asked for once more after its end. */
export function undoneBeforeLines(result: UndoResult, at: string, format: OrderFormat): string[] {
  const when = momentText(Date.parse(at), format.calendar.settings.zone)
  return [
    ...wrapped(`The undo ${JSON.stringify(result.name)} is done already, since ${when}.`),
    ...undoLines(result, format),
  ]
}

/** Returns what an undo changes, before it begins. */
export function radiusLines(radius: BlastRadius, format: OrderFormat): string[] {
  const { orders, users, revenue, days } = radius
  const { erased, forgotten, undone_before, admitted_again, other_corrections, warning } = radius
  const notes = [
    [erased, 'order', 'of users who were erased'],
    [forgotten, 'order', 'which the ledger has forgotten'],
    [undone_before, 'order', 'which another undo has taken back'],
    [admitted_again, 'admission', 'of orders that were admitted again later'],
    [other_corrections, 'correction', 'of orders that are not among these'],
  ] as const
  return [
    ...factLines([
      ['orders', countText(orders)],
      ['users', countText(users)],
      ['revenue', moneyText(revenue, format)],
      ...rankFacts(radius),
      ...days.map(
        ({ day, orders, revenue }): Fact => [day, `${ordersText(orders, '?')}, ${moneyText(revenue, format)}`],
      ),
    ]),
    ...notes.flatMap(([count, thing, which]) =>
      count > 0 ? wrapped(`Not touched: ${countOf(count, thing)} ${which}.`) : [],
    ),
    ...(warning === undefined ? [] : wrapped(warning)),
  ]
}

type Fact = readonly [label: string, value: string]

/** Returns how many ranks change, and the first of them. The registry of undos keeps the number alone, as it names no user. */
function rankFacts({ ranks_changed: changed, ranks }: BlastRadius): Fact[] {
  const more = changed - ranks.length
  const unnamed = changed > 0 && ranks.length === 0 ? '; who they are is not kept' : ''
  return [
    ['ranks', `${countText(changed)} of the top 100 by spend change${unnamed}`],
    ...ranks.map(({ user_id, from, to }): Fact => ['', `${shortName(user_id)}: ${from} to ${to ?? 'none'}`]),
    ...(more > 0 && ranks.length > 0 ? [['', `and ${countText(more)} more`] as const] : []),
  ]
}

/** Returns one line for each undo. */
export function undoRows(undos: readonly Undo[], format: OrderFormat): string[] {
  const { zone } = format.calendar.settings
  const rows = undos.map(({ name, state, at, by, radius, undone }) => {
    const { orders, revenue } = undone ?? radius ?? { orders: 0, revenue: 0 }
    const when = momentText(Date.parse(at), zone).slice(0, 'yyyy-mm-ddThh:mm'.length).replace('T', ' ')
    return [printable(name), state, countText(orders), moneyText(revenue, format), when, printable(by)]
  })
  return table([['undo', 'state', 'orders', 'revenue', 'asked', 'by'], ...rows])
}

/** Returns all that is known of one undo. */
export function undoDetails(undo: Undo, format: OrderFormat): string[] {
  const { zone } = format.calendar.settings
  const time = (text: string): string => momentText(Date.parse(text), zone)
  const { name, state, from, to, where, by, at, radius, undone, redo, redone } = undo
  const filter = Object.entries(where ?? {}).map(([field, value]) => `${field}=${printable(value ?? '')}`)
  return [
    ...factLines([
      ['undo', printable(name)],
      ['state', state],
      ['window', `${time(from)} to ${time(to)}`],
      ...(filter.length > 0 ? [['where', filter.join(', ')] as const] : []),
      ['asked', `${time(at)} by ${printable(by)}`],
      ...(undone ? [['undone', `${time(undone.at)}, ${ordersText(undone.orders, '?')}`] as const] : []),
      ...(redo ? [['redo', `${time(redo.at)} by ${printable(redo.by)}`] as const] : []),
      ...(redone ? [['redone', `${time(redone.at)}, ${ordersText(redone.orders, '?')}`] as const] : []),
    ]),
    ...(radius ? radiusLines(radius, format) : []),
  ]
}
