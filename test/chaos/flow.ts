import { sampleOrders, startOfDay } from '../../src/ops/local/sample-orders.ts'
import { CalendarOracle } from '../support/calendar-oracle.ts'
import { inlineKinds, isOrder, wrap } from '../support/envelopes.ts'
import { Oracle } from '../support/oracle.ts'
import type { Env } from '../support/world.ts'
import type { Random } from './random.ts'

/** Holds the bodies of orders, the messages that carry them, and the bodies that break a rule. */
export interface Flow {
  readonly bodies: readonly string[]
  readonly messages: readonly string[]
  readonly invalid: readonly string[]
}

/** Holds the result that everything sent to a world must have. */
export interface Expected {
  readonly oracle: Oracle
  readonly calendar: CalendarOracle
  readonly invalid: string[]
}

/**
 * Makes messages of which 30 % are sent twice and 5 % are invalid, shuffled, and all of it `copies` times. Every tenth order
 * is corrected. Of the messages 30 % have an envelope around the order. There are no conflicts: their verdict depends on which
 * order comes first. An order is corrected once, so that it does not matter when.
 */
export function flowOf(count: number, random: Random, copies = 1): Flow {
  const invalid = Math.round(count * 0.05)
  const repeats = Math.round(count * 0.3)
  const valid = Math.round((count - invalid - repeats) / (1 + corrections / 100))
  const until = startOfDay(new Date())
  const options = { valid, invalid, corrections, users: 200, seed: random.below(2 ** 32), until }
  const samples = [...sampleOrders(options)]
  const accepted = samples.filter(({ kind }) => kind !== 'invalid')
  const repeated = Array.from({ length: repeats }, () => random.pick(accepted))
  const sent = Array.from({ length: copies }, () => [...samples, ...repeated]).flat()
  const bodies = random.shuffled(sent).map(({ body }) => body)
  return {
    bodies,
    messages: bodies.map((body) =>
      random.below(100) < 30 && isOrder(body) ? wrap(random.pick(inlineKinds), body) : body,
    ),
    invalid: sent.filter(({ kind }) => kind === 'invalid').map(({ body }) => body),
  }
}

/** Percent of the valid orders. */
const corrections = 10

/** Days as they are by default, in a zone that has another day than Greenwich for hours. */
export const inNewYork: Env = { CALENDAR: 'on', REPORT_TIMEZONE: 'America/New_York' }
const openDays = 31

export function expectedOf(): Expected {
  const calendar = new CalendarOracle(`${inNewYork['REPORT_TIMEZONE']}`, openDays)
  return { oracle: new Oracle(calendar), calendar, invalid: [] }
}

export function expectFlow({ oracle, invalid }: Expected, flow: Flow): void {
  for (const body of flow.bodies) oracle.take(body)
  oracle.replayUnknown()
  invalid.push(...flow.invalid)
}

/** Cuts a list into `parts` parts of about the same length. */
export function shares<T>(list: readonly T[], parts: number): T[][] {
  const at = (part: number): number => Math.round((list.length * part) / parts)
  return Array.from({ length: parts }, (_, part) => list.slice(at(part), at(part + 1)))
}
