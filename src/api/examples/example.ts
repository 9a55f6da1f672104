/** A request of a route and its reply, as the documentation shows them. */
export interface Example {
  readonly params?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string | number>>
  readonly body?: unknown
  readonly reply: unknown
}

/** By method and path, as in `get /stats/global`. */
export type Examples = Readonly<Record<string, Example>>
