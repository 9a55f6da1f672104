import type { Table } from '../csv.ts'
import { type Problem, problemOf } from './problem.ts'

export type Headers = Readonly<Record<string, string>>

const special = Symbol('special')

/** A reply other than the value that the route's schema checks. */
export type Special = {
  readonly [special]: Content & { readonly headers: Headers }
}

type Content = { readonly text: string } | { readonly table: Table } | { readonly problem: Problem }

/** Replies JSON text as it is. */
export const jsonText = (text: string, headers: Headers = {}): Special => ({ [special]: { text, headers } })
/** Replies CSV: for a route that declares so, to a client that wants it. */
export const csvTable = (table: Table, headers: Headers = {}): Special => ({ [special]: { table, headers } })
export const refuse = (
  status: number,
  detail: string,
  headers: Headers = {},
  more: Pick<Problem, 'checks'> = {},
): Special => ({
  [special]: { problem: { ...problemOf(status, detail), ...more }, headers },
})

/** Replies 422 for one field of the body. */
export const refuseField = (field: string, message: string): Special => ({
  [special]: { problem: problemOf(422, `Not accepted: ${field}.`, [{ field, message }]), headers: {} },
})

/** Returns what `jsonText`, `csvTable` or `refuse` made; undefined for any other reply. */
export function specialOf(reply: unknown): Special[typeof special] | undefined {
  return typeof reply === 'object' && reply !== null && special in reply ? (reply as Special)[special] : undefined
}
