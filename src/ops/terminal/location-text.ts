import { countText } from '../../reads/count-text.ts'
import { envelopeText } from '../../reads/envelope-text.ts'
import type { Holding } from '../../reads/locate/delivery-state.ts'
import type { OrderLocation, Waiting } from '../../reads/locate/locate.ts'
import type { ScanCoverage } from '../../reads/locate/scan.ts'
import type { Rejected } from '../../reads/locate/sightings.ts'
import type { Step } from '../../reads/locate/steps.ts'
import { idMs, isoOf } from '../../stream-id.ts'
import { money } from './numbers.ts'
import { printableId } from './printable.ts'

const verdicts: Readonly<Record<OrderLocation['where'], string>> = {
  ranked: 'is counted and ranked',
  applied: 'is counted; whether it is ranked is not known',
  admitted: 'is admitted; whether it is counted is not known',
  waiting: 'waits',
  invalid: 'was not accepted and is in the invalid channel',
  discarded: 'was not accepted and was given up',
  unknown: 'was not found',
}

/** Returns the known events of an order by time, then the steps that are not known. */
export function locationLines(trace: OrderLocation): string[] {
  const { user_id, order_id, where, duplicates, scanned, settled, received, admitted, applied, ranked } = trace
  const steps: readonly (readonly [what: string, step: Step])[] = [
    ['received', received],
    ['admitted', admitted],
    ['counted', applied],
    ['ranked', ranked],
  ]
  const open = steps.filter(([, { done }]) => done !== 'yes')
  const events = eventsOf(trace).toSorted((one, other) => Date.parse(one.at) - Date.parse(other.at))
  return [
    `Order ${printableId(order_id)} of user ${printableId(user_id)} ${verdicts[where]}.`,
    '',
    ...events.map(({ text }) => text),
    ...(events.length > 0 ? [''] : []),
    ...open.map(
      ([what, { done, because }]) => `${done === 'no' ? `Not ${what}` : `Not known whether ${what}`}. ${because}`,
    ),
    `${duplicates.because} Of all orders there were ${countText(duplicates.total)}.`,
    ...coverageLines(scanned),
    ...(settled ? [] : ['Orders were replayed during the whole search, so this one may have been missed: ask again.']),
  ]
}

interface Event {
  /** The time to sort by. */
  readonly at: string
  readonly text: string
}

function eventsOf(trace: OrderLocation): Event[] {
  const { received, admitted, applied, ranked, amount, waiting, counted, invalid, discarded } = trace
  const value = amount === null ? '' : ` with ${money(amount)}`
  return [
    ...stepEvent(received, 'it had come in'),
    ...stepEvent(admitted, `it was admitted${value}`),
    ...invalid.flatMap(rejectionEvents),
    ...discarded.flatMap(({ at, by, why, rejected }) => [
      ...rejectionEvents(rejected),
      { at, text: `At ${at} ${by} gave it up: ${why}` },
    ]),
    ...waiting.map((place) => waitingEvent(place, 'it')),
    ...stepEvent(applied, 'it was counted'),
    ...counted.map((place) =>
      waitingEvent(place, `totals of its user that count ${place.orders} orders, maybe this one,`),
    ),
    ...stepEvent(ranked, 'it was ranked'),
  ]
}

function stepEvent({ not_before, not_after, because }: Step, what: string): Event[] {
  if (not_after === null) return []
  const when =
    not_before === null
      ? `By ${not_after}`
      : not_before === not_after
        ? `At ${not_after}`
        : `Between ${not_before} and ${not_after}`
  return [{ at: not_after, text: `${when} ${what}. ${because}` }]
}

export function rejectionEvents({
  id,
  code,
  reason,
  hint,
  ts,
  stage,
  attempts,
  first_reason,
  first_ts,
  edits = [],
  envelope,
}: Rejected): Event[] {
  const by = stage === undefined ? '' : ` by the stage ${stage}`
  const first =
    first_ts === undefined
      ? []
      : [{ at: first_ts, text: `At ${first_ts} it was rejected the first time: ${first_reason ?? ''}` }]
  return [
    ...first,
    ...edits.map((edit) => ({
      at: edit.ts,
      text: `At ${edit.ts} ${edit.by} put another body in its place.`,
    })),
    {
      at: isoOf(idMs(id)), // its time by Redis' clock, as that of its admission
      text: `At ${ts} it was rejected${by}, attempt ${attempts}, entry ${id} (${code}): ${reason}${hint === undefined ? '' : `. ${hint}`}${envelope ? ` It came in ${envelopeText(envelope)}.` : ''}`,
    },
  ]
}

function waitingEvent(
  { stream, entry, since, held_by, message, envelope, jobId, attempts }: Waiting,
  what: string,
): Event {
  const details = [
    `entry ${entry}`,
    ...(message === undefined ? [] : [`message ${message}`]),
    ...(envelope ? [`in ${envelopeText(envelope)}`] : []),
    ...(jobId === undefined ? [] : [`sent by job ${jobId}`]),
    ...(attempts === undefined ? [] : [`rejected ${attempts} times before`]),
  ]
  const holders = held_by.map(holdingText).join('; ')
  return { at: since, text: `Since ${since} ${what} waits in ${stream} (${details.join(', ')}): ${holders}.` }
}

function holdingText({ stage, state, consumer = '', held_ms = 0, deliveries = 1 }: Holding): string {
  if (state === 'undelivered') return `no consumer of ${stage} has it yet`
  if (state === 'acknowledged') return `${stage} is done with it`
  const again = deliveries > 1 ? `, delivered ${deliveries} times` : ''
  return `consumer ${consumer} of ${stage} has had it for ${held_ms / 1_000} s${again}`
}

/** Says which streams were searched only in part, and which results are left out. */
export function coverageLines(scanned: readonly ScanCoverage[]): string[] {
  return scanned.flatMap(({ stream, entries, of, whole, more }) => [
    ...(whole
      ? []
      : [`Of ${stream} only the oldest and newest ${countText(entries)} of ${countText(of)} entries were searched.`]),
    ...(more ? [`There are more results in ${stream}: only the newest are shown.`] : []),
  ])
}
