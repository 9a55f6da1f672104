import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { inlineKinds, isOrder, wrap } from '../support/envelopes.ts'
import { Oracle } from '../support/oracle.ts'
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
  readonly invalid: string[]
}

/**
 * Makes orders of which 30 % are sent twice and 5 % are invalid, shuffled, and all of it `copies` times. Of the messages
 * 30 % have an envelope around the order. There are no
 * conflicts: their verdict depends on which order comes first.
 */
export function flowOf(count: number, random: Random, copies = 1): Flow {
  const invalid = Math.round(count * 0.05)
  const repeats = Math.round(count * 0.3)
  const options = { valid: count - invalid - repeats, invalid, users: 200, seed: random.below(2 ** 32) }
  const samples = [...sampleOrders(options)]
  const valid = samples.filter((sample) => sample.valid)
  const repeated = Array.from({ length: repeats }, () => random.pick(valid))
  const sent = Array.from({ length: copies }, () => [...samples, ...repeated]).flat()
  const bodies = random.shuffled(sent).map(({ body }) => body)
  return {
    bodies,
    messages: bodies.map((body) =>
      random.below(100) < 30 && isOrder(body) ? wrap(random.pick(inlineKinds), body) : body,
    ),
    invalid: sent.filter((sample) => !sample.valid).map(({ body }) => body),
  }
}

export function expectedOf(): Expected {
  return { oracle: new Oracle(), invalid: [] }
}

export function expectFlow({ oracle, invalid }: Expected, flow: Flow): void {
  for (const body of flow.bodies) oracle.take(body)
  invalid.push(...flow.invalid)
}

/** Cuts a list into `parts` parts of about the same length. */
export function shares<T>(list: readonly T[], parts: number): T[][] {
  const at = (part: number): number => Math.round((list.length * part) / parts)
  return Array.from({ length: parts }, (_, part) => list.slice(at(part), at(part + 1)))
}
