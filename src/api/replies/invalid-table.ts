import type { OrderFormat } from '../../order/format.ts'
import { identityIn } from '../../order/identity.ts'
import { bodyIn, inBatches } from '../../stages/hints/entry.ts'
import { member, parse } from '../../stages/hints/reading.ts'
import type { Table } from '../csv.ts'

/** Members of the record that are a column of the same name. */
const members = ['id', 'ts', 'code', 'reason', 'hint', 'stage', 'attempts'] as const

/**
 * Makes a table of a page of invalid orders. `sent` is the body as it was sent, to the character.
 * @param texts the records as they are kept
 * @param noted the same with their notes
 */
export async function invalidTable(
  texts: readonly string[],
  noted: readonly string[],
  format: OrderFormat,
): Promise<Table> {
  const rows: unknown[][] = []
  for await (const [at, text] of inBatches(texts)) rows.push(rowOf(text, noted[at] ?? text, format))
  return { columns: [...members, 'retry', 'user_id', 'order_id', 'sent'], rows }
}

function rowOf(text: string, noted: string, format: OrderFormat): unknown[] {
  const record = parse(noted)
  const retry = member(record, 'retry')
  const sent = bodyIn(text, parse(text))
  const { userId, orderId } = sent === undefined ? {} : identityIn(sent, format)
  const retryText = member(retry, 'given_up') === true ? 'given up' : member(retry, 'next')
  return [...members.map((name) => member(record, name)), retryText, userId, orderId, sent]
}
