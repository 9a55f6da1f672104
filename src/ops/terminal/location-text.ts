import type { Holding } from '../../reads/locate/delivery-state.ts'
import type { Trace, Waiting } from '../../reads/locate/locate.ts'
import type { Look } from '../../reads/locate/scan.ts'
import type { Rejected } from '../../reads/locate/sightings.ts'
import type { Step } from '../../reads/locate/steps.ts'
import { money } from '../commands/inspect/status.ts'

const verdicts: Readonly<Record<Trace['where'], string>> = {
  ranked: 'is counted and ranked',
  applied: 'is counted; whether it is ranked is not known',
  admitted: 'is admitted; whether it is counted is not known',
  waiting: 'waits',
  invalid: 'was not accepted and is in the invalid channel',
  discarded: 'was not accepted and was given up',
  unknown: 'was not found',
}

/** What is known of an order as a story in the order of time, then what is not. */
export function traceLines(trace: Trace): string[] {
  const { user_id, order_id, where, duplicates, looked, settled, received, admitted, applied, ranked } = trace
  const steps: readonly (readonly [what: string, step: Step])[] = [
    ['received', received],
    ['admitted', admitted],
    ['counted', applied],
    ['ranked', ranked],
  ]
  const open = steps.filter(([, { done }]) => done !== 'yes')
  const story = eventsOf(trace).toSorted((one, other) => Date.parse(one.at) - Date.parse(other.at))
  return [
    `Order ${order_id} of user ${user_id} ${verdicts[where]}.`,
    '',
    ...story.map(({ text }) => text),
    ...(story.length > 0 ? [''] : []),
    ...open.map(
      ([what, { done, because }]) => `${done === 'no' ? `Not ${what}` : `Not known whether ${what}`}. ${because}`,
    ),
    `${duplicates.because} Of all orders there were ${duplicates.total.toLocaleString('en')}.`,
    ...lookedLines(looked),
    ...(settled ? [] : ['Orders were replayed all the while, so that this one may have been passed over: ask again.']),
  ]
}

interface Event {
  /** What it is sorted by. */
  readonly at: string
  readonly text: string
}

function eventsOf(trace: Trace): Event[] {
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
      at: ts,
      text: `At ${ts} it was rejected${by}, attempt ${attempts}, entry ${id} (${code}): ${reason}${hint === undefined ? '' : `. ${hint}`}`,
    },
  ]
}

function waitingEvent({ stream, entry, since, held_by, message, ticket, attempts }: Waiting, what: string): Event {
  const brought = [
    `entry ${entry}`,
    ...(message === undefined ? [] : [`message ${message}`]),
    ...(ticket === undefined ? [] : [`sent by job ${ticket}`]),
    ...(attempts === undefined ? [] : [`rejected ${attempts} times before`]),
  ]
  const hands = held_by.map(holdingText).join('; ')
  return { at: since, text: `Since ${since} ${what} waits in ${stream} (${brought.join(', ')}): ${hands}.` }
}

function holdingText({ stage, state, consumer = '', held_ms = 0, deliveries = 1 }: Holding): string {
  if (state === 'undelivered') return `no consumer of ${stage} has it yet`
  if (state === 'acknowledged') return `${stage} is done with it`
  const again = deliveries > 1 ? `, delivered ${deliveries} times` : ''
  return `consumer ${consumer} of ${stage} has had it for ${held_ms / 1_000} s${again}`
}

/** Where not all of a stream was looked through, or not all that was found is told. */
export function lookedLines(looked: readonly Look[]): string[] {
  const number = (value: number): string => value.toLocaleString('en')
  return looked.flatMap(({ stream, entries, of, whole, more }) => [
    ...(whole
      ? []
      : [`Of ${stream} only the oldest and newest ${number(entries)} of ${number(of)} entries were looked through.`]),
    ...(more ? [`There is more of it in ${stream} than is told here: only the newest.`] : []),
  ])
}
