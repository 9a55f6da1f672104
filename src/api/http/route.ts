import type { z } from 'zod'
import type { App } from '../../app.ts'
import type { AdminAction } from '../../control/audit-actions.ts'
import type { Queues } from '../../control/job-queues.ts'
import type { RedisClient } from '../../redis/client.ts'
import type { Place } from '../../stages/erasure/place.ts'
import type { Share } from '../cached.ts'
import type { Table } from '../csv.ts'
import type { Right } from './access.ts'
import type { Special } from './reply.ts'
import type { Turns } from './turns.ts'

/** The context of a route in any process. Its `redis` answers within two seconds or fails, unlike that of the loops. */
export interface HealthContext extends App {
  /** Carries health checks only, so that they never wait behind other replies. */
  readonly probe: RedisClient
  /** Returns how the calls of this process' bridge to SQS work (see sqs-check.ts). */
  readonly sqs: () => string | undefined
}

/** The context of a route in the API. */
export interface ApiContext extends HealthContext {
  readonly queues: Queues
  readonly turns: Turns
  readonly share: Share<ApiContext>
  /** Finds users in the archive, if there is one. */
  readonly archive?: Place | undefined
  /** Returns the newest snapshot of the pipeline as JSON, with or without the names of operators (see live/events.ts). */
  readonly snapshot: (whole: boolean) => Promise<string>
}

type Shape = z.ZodObject

/**
 * Declares a route once. The Express handler, the 422s, the checked reply and the OpenAPI document follow from it.
 * `handle` returns the reply, or with `jsonText`, `csvTable` or `refuse` another one.
 */
export interface Route<
  C extends HealthContext = ApiContext,
  P extends Shape = Shape,
  Q extends Shape = Shape,
  B extends z.ZodType = z.ZodType,
  R extends z.ZodType = z.ZodType,
> {
  readonly method: 'get' | 'post' | 'put' | 'delete'
  /** As OpenAPI writes it: `/users/{user_id}/stats`. */
  readonly path: string
  readonly summary: string
  readonly params?: P
  readonly query?: Q
  /** Headers it reads, with what each is for. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: B
  /** It changes something: it needs the right `admin`, takes JSON only, and each call goes into the audit log. */
  readonly writes?: true
  /** The word for it in the audit log. Without it, an entry has method and path. */
  readonly action?: AdminAction
  /** The right a request needs. The default is `admin` for a route that writes, `numbers` for any other. */
  readonly right?: Right
  /** It writes its own entry into the audit log, in the same step as its change. */
  readonly audited?: true
  readonly reply: R
  /** Headers of the reply, with what each is for. */
  readonly replyHeaders?: Readonly<Record<string, string>>
  /** The default is 200. */
  readonly status?: number
  /** Errors it can reply in addition to those of every route: status and cause. */
  readonly refusals?: Readonly<Record<number, string>>
  /** Replies CSV, too: by a function that makes a table of the reply, or by a `csvTable` that `handle` returns. */
  readonly csv?: ((reply: z.output<R>) => Table) | 'by handle'
  handle(context: C, call: Call<P, Q, B>): Promise<z.input<R> | Special>
}

export interface Call<P extends Shape = Shape, Q extends Shape = Shape, B extends z.ZodType = z.ZodType> {
  readonly params: z.output<P>
  readonly query: z.output<Q>
  readonly body: z.output<B>
  /** The body as it was sent. */
  readonly text: string
  /** The address of the client. Clients behind one proxy share it. */
  readonly client: string
  /** The route replies CSV, and the client asks for `text/csv`. */
  readonly wantsCsv: boolean
  /** Aborts when the client disconnects before it has the reply. */
  readonly signal: AbortSignal
  header(name: string): string | undefined
  /** Returns true if the request has this right as well, without a token. */
  has(right: Right): boolean
}

export function defineRoute<
  P extends Shape,
  Q extends Shape,
  B extends z.ZodType,
  R extends z.ZodType,
  C extends HealthContext = ApiContext,
>(route: Route<C, P, Q, B, R>): Route<C> {
  return route as unknown as Route<C>
}

export const rightOf = ({ writes, right }: Pick<Route, 'writes' | 'right'>): Right =>
  right ?? (writes ? 'admin' : 'numbers')
