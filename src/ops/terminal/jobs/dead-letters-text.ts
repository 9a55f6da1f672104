import type { DeadLetterCounts } from '../../../ingest/dead-letters/open.ts'
import type { OrderFormat } from '../../../order/format.ts'
import { identityIn } from '../../../order/identity.ts'
import { countText } from '../../../reads/count-text.ts'
import type { DeadLetter } from '../../../reads/dead-letters/dead-letters.ts'
import type { Judgement } from '../../../reads/dead-letters/judge.ts'
import { printableId } from '../printable.ts'
import { timeText } from '../times.ts'
import { wrapped } from '../wrapped.ts'

/** The dead-letter queue, and those of its messages that were looked at. */
export interface DeadLetterView extends DeadLetterCounts {
  readonly name: string
  readonly isFifo: boolean
  readonly letters: readonly DeadLetter[]
}

/** Returns how many there are and how old they are, a sentence with the verdicts, and an example of each verdict. */
export function deadLetterLines(view: DeadLetterView, format: OrderFormat, now: Date): string[] {
  const { name, messages, inFlight, letters } = view
  const all = messages + inFlight
  if (all === 0 && letters.length === 0) return [`The dead-letter queue ${name} is empty.`]
  const held = inFlight > 0 ? `, ${countText(inFlight)} of them with another consumer` : ''
  const count = `The dead-letter queue ${name} has ${plural(Math.max(all, letters.length), 'message')}${held}.`
  if (letters.length === 0) return wrapped(`${count} None of them was delivered: look again in a moment.`)
  return [
    ...wrapped([count, ...ageOf(letters, now)].join(' ')),
    ...wrapped(`${lookedAt(view)}${verdictsText(letters)}.`),
    ...[...examplesOf(letters)].flatMap(([label, letter]) => exampleLines(label, letter, format)),
    ...notes(view).flatMap((note) => wrapped(note)),
    ...wrapped(`To bring them back: orders dlq redrive --dry-run, then orders dlq redrive`),
  ]
}

/** Returns the same as an object for `--json`. */
export function deadLetterJson({ name, messages, inFlight, letters }: DeadLetterView, format: OrderFormat): object {
  const oldest = oldestOf(letters)
  return {
    queue: name,
    messages,
    in_flight: inFlight,
    oldest: oldest === undefined ? null : new Date(oldest).toISOString(),
    looked_at: letters.map(({ record, sentMs, verdict }) => {
      const { userId = null, orderId = null } = identityIn(record.body, format)
      const sent = sentMs === undefined ? null : new Date(sentMs).toISOString()
      return { message_id: record.id, user_id: userId, order_id: orderId, sent, ...verdict }
    }),
  }
}

/** Says in words what the verdicts are: `41 would be accepted, 3 are duplicates, 12 invalid: total-mismatch (9), …`. */
export function verdictsText(letters: readonly Pick<DeadLetter, 'verdict'>[]): string {
  const counts = new Map<string, number>()
  for (const { verdict } of letters) counts.set(labelOf(verdict), (counts.get(labelOf(verdict)) ?? 0) + 1)
  const { accepted = 0, duplicate = 0, ...codes } = Object.fromEntries(counts)
  const bad = Object.entries(codes).sort(([, one], [, other]) => other - one)
  const invalid = letters.length - accepted - duplicate
  const named = bad.map(([code, count]) => `${code} (${countText(count)})`).join(', ')
  return [
    `${countText(accepted)} would be accepted`,
    `${countText(duplicate)} ${duplicate === 1 ? 'is a duplicate' : 'are duplicates'}`,
    `${countText(invalid)} invalid${invalid > 0 ? `: ${named}` : ''}`,
  ].join(', ')
}

function labelOf(verdict: Judgement): string {
  if ('code' in verdict) return verdict.code
  return verdict.verdict === 'admitted' ? 'accepted' : verdict.verdict
}

const lookedAt = ({ messages, inFlight, letters }: DeadLetterView): string =>
  letters.length < messages + inFlight ? `Of the ${plural(letters.length, 'message')} looked at: ` : ''

function oldestOf(letters: readonly DeadLetter[]): number | undefined {
  const times = letters.map(({ sentMs }) => sentMs).filter((ms) => ms !== undefined)
  return times.length > 0 ? Math.min(...times) : undefined
}

function ageOf(letters: readonly DeadLetter[], now: Date): string[] {
  const oldest = oldestOf(letters)
  const which = letters.length === 1 ? 'It' : `The oldest of ${countText(letters.length)}`
  return oldest === undefined ? [] : [`${which} was sent ${timeText(new Date(oldest).toISOString(), now)}.`]
}

/** The first letter with each verdict. */
function examplesOf(letters: readonly DeadLetter[]): Map<string, DeadLetter> {
  const examples = new Map<string, DeadLetter>()
  for (const letter of letters) {
    const label = labelOf(letter.verdict)
    if (!examples.has(label)) examples.set(label, letter)
  }
  return examples
}

function exampleLines(label: string, { record, verdict }: DeadLetter, format: OrderFormat): string[] {
  const { userId, orderId } = identityIn(record.body, format)
  const order = orderId === undefined ? [] : [`order ${printableId(orderId)}`]
  const user = userId === undefined ? [] : [`of ${printableId(userId)}`]
  const named = [...order, ...user, `message ${printableId(record.id)}`].join(' ')
  const reason = 'reason' in verdict ? `: ${verdict.reason}` : ''
  return wrapped(`  ${label}, such as ${named}${reason}`, { indent: '    ' })
}

function notes({ maxReceiveCount, isFifo, letters }: DeadLetterView): string[] {
  const own = `This queue has a redrive policy of its own: it takes a message away after ${maxReceiveCount} receives, and each look is one.`
  const fifo = 'Of one message group of a FIFO queue only the first ten messages can be looked at.'
  return [...(maxReceiveCount === undefined ? [] : [own]), ...(isFifo && letters.length > 0 ? [fifo] : [])]
}

const plural = (count: number, noun: string): string => `${countText(count)} ${noun}${count === 1 ? '' : 's'}`
