import { type Problem, problemOf } from './problem.ts'

export type Headers = Readonly<Record<string, string>>

const special = Symbol('special')

/** A reply other than the value that the route's schema checks. */
export type Special = {
  readonly [special]: ({ readonly text: string } | { readonly problem: Problem }) & { readonly headers: Headers }
}

/** Replies JSON text as it is. */
export const jsonText = (text: string, headers: Headers = {}): Special => ({ [special]: { text, headers } })
export const refuse = (status: number, detail: string, headers: Headers = {}): Special => ({
  [special]: { problem: problemOf(status, detail), headers },
})

/** Replies 422 for one field of the body. */
export const refuseField = (field: string, message: string): Special => ({
  [special]: { problem: problemOf(422, `Not accepted: ${field}.`, [{ field, message }]), headers: {} },
})

/** Returns what `jsonText` or `refuse` made; undefined for any other reply. */
export function specialOf(reply: unknown): Special[typeof special] | undefined {
  return typeof reply === 'object' && reply !== null && special in reply ? (reply as Special)[special] : undefined
}
