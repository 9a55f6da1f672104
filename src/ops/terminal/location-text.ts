import type { Money } from '../../order/money.ts'
import { countText } from '../../reads/count-text.ts'
import { envelopeText } from '../../reads/envelope-text.ts'
import type { LocatedCorrection } from '../../reads/locate/corrections.ts'
import type { Holding } from '../../reads/locate/delivery-state.ts'
import type { OrderLocation } from '../../reads/locate/locate.ts'
import type { Rejected } from '../../reads/locate/sightings.ts'
import type { Step } from '../../reads/locate/steps.ts'
import type { Waiting } from '../../reads/locate/waiting.ts'
import { durationText } from '../../reads/stalls.ts'
import { retriesJob, retryText } from '../../stages/invalid/retries.ts'
import { idMs, isoOf } from '../../stream-id.ts'
import { dayText } from './calendar-text.ts'
import { coverageLines } from './notes.ts'
import { amountText } from './numbers.ts'
import { type Line, sentence } from './output.ts'
import { printableId } from './printable.ts'
import { timeText } from './times.ts'

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
export function locationLines(trace: OrderLocation, money: Money): Line[] {
  const { user_id, order_id, where, duplicates, scanned, settled, received, admitted, applied, ranked } = trace
  const steps: readonly (readonly [what: string, step: Step])[] = [
    ['received', received],
    ['admitted', admitted],
    ['counted', applied],
    ['ranked', ranked],
  ]
  const open = steps.filter(([, { done }]) => done !== 'yes')
  const events = eventsOf(trace, money).toSorted((one, other) => Date.parse(one.at) - Date.parse(other.at))
  return [
    `Order ${printableId(order_id)} of user ${printableId(user_id)} ${verdicts[where]}.${leftText(trace, money)}`,
    ...(trace.erased_at === undefined ? [] : [`Its user was erased at ${trace.erased_at}.`]),
    ...(trace.day === null ? [] : [`It ${dayText(trace.day)}.`]),
    '',
    ...events.map(({ text }) => text),
    ...(events.length > 0 ? [''] : []),
    ...open.map(
      ([what, { done, because }]) => `${done === 'no' ? `Not ${what}` : `Not known whether ${what}`}. ${because}`,
    ),
    `${duplicates.because} Of all orders there were ${countText(duplicates.total)}.`,
    ...coverageLines(scanned),
    ...(settled ? [] : ['Orders were replayed during the whole search, so this one may have been missed: ask again.']),
  ].map((text) => (text === '' ? text : sentence(text, '  ')))
}

/** Says what corrections have left of an order. */
function leftText({ amount, net, cancelled, undone }: OrderLocation, money: Money): string {
  if (amount === null || net === null) return ''
  const was = amountText(amount, money)
  if (undone) return ` It is undone: nothing is left of ${was}.`
  if (cancelled) return ` It is cancelled: nothing is left of ${was}.`
  return net === amount ? '' : ` Corrections have left ${amountText(net, money)} of ${was}.`
}

interface Event {
  /** The time to sort by. */
  readonly at: string
  readonly text: string
}

function eventsOf(trace: OrderLocation, money: Money): Event[] {
  const { at, received, admitted, applied, ranked, amount, waiting, counted, invalid, discarded, corrections, sent } =
    trace
  const now = new Date(at)
  const value = amount === null ? '' : ` with ${amountText(amount, money)}`
  return [
    ...stepEvent(received, 'came in', now),
    ...stepEvent(admitted, `was admitted${value}`, now),
    ...invalid.flatMap((one) => rejectionEvents(one, now)),
    ...discarded.flatMap(({ at, by, why, rejected }) => [
      ...rejectionEvents(rejected, now),
      { at, text: `At ${timeText(at, now)}, ${by} gave it up: ${why}` },
    ]),
    ...corrections.flatMap((one) => correctionEvents(one, now, money)),
    ...sent.map((one) => sentEvent(one, now)),
    ...waiting.map((place) => waitingEvent(place, 'it', now)),
    ...laterEvent(applied, 'counted', now),
    ...counted.map((place) =>
      waitingEvent(place, `totals of its user that count ${place.orders} orders, maybe this one,`, now),
    ),
    ...laterEvent(ranked, 'ranked', now),
  ]
}

const correctionNames = {
  cancelled: 'cancellation',
  refunded: 'refund',
  amended: 'amendment',
  undone: 'undo',
  redone: 'redo',
} as const

function correctionEvents(one: LocatedCorrection, now: Date, money: Money): Event[] {
  const { kind, event_id, since, amount, change, order_timestamp, day, waiting, rejected, discarded } = one
  const of = amount === null ? '' : ` ${kind === 'amended' ? 'to' : 'of'} ${amountText(amount, money)}`
  const id = event_id === null ? [] : [`event ${printableId(event_id)}`]
  const details = [...id, ...(order_timestamp === null ? [] : [`of ${order_timestamp}`])]
  const what = `its ${correctionNames[kind]}${of}${details.length === 0 ? '' : ` (${details.join(', ')})`}`
  const accepted = change === null ? [] : [acceptedEvent(what, { change, day, since }, now, money)]
  return [
    ...accepted,
    ...(rejected ? rejectionEvents(rejected, now, what) : []),
    ...(discarded
      ? [{ at: since, text: `At ${timeText(since, now)}, ${discarded.by} gave it up: ${discarded.why}` }]
      : []),
    ...(waiting ? [waitingEvent(waiting, change === null ? what : 'this', now)] : []),
  ]
}

function acceptedEvent(
  what: string,
  { change, day, since }: { change: number } & Pick<LocatedCorrection, 'day' | 'since'>,
  now: Date,
  money: Money,
): Event {
  const counts = day === null ? '' : `, and ${dayText(day)}`
  const by = `${change < 0 ? 'takes' : 'adds'} ${amountText(Math.abs(change), money)}${counts}`
  return { at: since, text: `At ${timeText(since, now)}, ${what} was accepted: it ${by}.` }
}

/** @param what it did, such as `came in` */
function stepEvent({ not_before, not_after, because }: Step, what: string, now: Date): Event[] {
  if (not_after === null) return []
  const text =
    not_before === not_after
      ? `At ${timeText(not_after, now)}, it ${what}`
      : `It ${what} ${spanText(not_before, not_after, now)}`
  return [{ at: not_after, text: `${text}. ${because}` }]
}

/** Of a time that is not kept, the beginning of the range is not shown as if it were one. */
function spanText(not_before: string | null, not_after: string, now: Date): string {
  if (not_before === null) return `no later than ${timeText(not_after, now)}`
  if (Date.parse(not_after) < now.getTime()) return `between ${not_before} and ${not_after}`
  return `some time in the last ${durationText(now.getTime() - Date.parse(not_before))}`
}

/** Returns the event of a step that follows the admission: its time is not kept, and the range is that of the admission. */
function laterEvent({ not_after, because }: Step, what: string, now: Date): Event[] {
  if (not_after === null) return []
  const since = Date.parse(not_after) < now.getTime() ? ` by ${timeText(not_after, now)}` : ''
  return [{ at: not_after, text: `It was ${what}${since}. ${because}` }]
}

const asked = { cancel: 'asked to cancel it', refund: 'asked for a refund of it', amend: 'asked to amend it' } as const

function sentEvent(sent: OrderLocation['sent'][number], now: Date): Event {
  const { at, by, invalid_id, correction, reason, job_id, verdict } = sent
  const why = reason === undefined ? '' : ` (${reason})`
  const order = invalid_id === undefined ? 'sent it' : `sent it in place of the invalid order ${invalid_id}`
  const what = correction === undefined ? order : `${asked[correction]}${why}`
  const result = verdict === null ? 'no verdict is known' : `the verdict was ${verdict}`
  return { at, text: `At ${timeText(at, now)}, ${by} ${what}, by job ${job_id}: ${result}.` }
}

/** @param what is rejected */
export function rejectionEvents(rejected: Rejected, now: Date, what = 'it'): Event[] {
  const { id, code, reason, hint, retry, ts, stage, attempts, first_reason, first_ts, edits = [], envelope } = rejected
  const by = stage === undefined ? '' : ` by the stage ${stage}`
  const first =
    first_ts === undefined
      ? []
      : [
          {
            at: first_ts,
            text: `At ${timeText(first_ts, now)}, ${what} was rejected the first time: ${first_reason ?? ''}`,
          },
        ]
  const came = envelope ? ` It came in ${envelopeText(envelope)}.` : ''
  const again = retry ? `${hint === undefined ? '.' : ''} ${retryText(retry, now)}` : ''
  const entry = `attempt ${attempts}, entry ${id} (${code}): ${reason}${hint === undefined ? '' : `. ${hint}`}${again}${came}`
  return [
    ...first,
    ...edits.map((edit) => ({
      at: edit.ts,
      text: `At ${timeText(edit.ts, now)}, ${edit.by} put another body in its place.`,
    })),
    {
      at: isoOf(idMs(id)), // its time by Redis' clock, as that of its admission
      text: `At ${timeText(ts, now)}, ${what} was rejected${by}, ${entry}`,
    },
  ]
}

function waitingEvent(
  { stream, entry, since, held_by, message, envelope, jobId, attempts }: Waiting,
  what: string,
  now: Date,
): Event {
  const details = [
    `entry ${entry}`,
    ...(message === undefined ? [] : [`message ${message}`]),
    ...(envelope ? [`in ${envelopeText(envelope)}`] : []),
    ...(jobId === undefined ? [] : [jobId === retriesJob ? 'retried by itself' : `sent by job ${jobId}`]),
    ...(attempts === undefined ? [] : [`rejected ${attempts} times before`]),
  ]
  const holders = held_by.map(holdingText).join('; ')
  return {
    at: since,
    text: `Since ${timeText(since, now)}, ${what} waits in ${stream} (${details.join(', ')}): ${holders}.`,
  }
}

function holdingText({ stage, state, consumer = '', held_ms = 0, deliveries = 1 }: Holding): string {
  if (state === 'undelivered') return `no consumer of ${stage} has it yet`
  if (state === 'acknowledged') return `${stage} is done with it`
  const again = deliveries > 1 ? `, delivered ${deliveries} times` : ''
  return `consumer ${consumer} of ${stage} has had it for ${held_ms / 1_000} s${again}`
}
