import type { Attributes } from '@opentelemetry/api'
import { type Telemetry, withFields } from '../telemetry.ts'

/** Sends spans to an OpenTelemetry collector. Exists only if one is configured. */
export interface Tracing extends AsyncDisposable {
  /**
   * Begins the span of a batch or a job.
   * @param sources contexts of what is in it (or X-Ray headers). The first sampled one is its parent; the other sampled ones
   * are linked.
   */
  consume(from: Consumed, sources: readonly (string | undefined)[], attributes?: Attributes): Span
  /**
   * Begins the span of one message of a batch, below the span that sent it. Returns undefined unless that one is sampled.
   * Beyond a number of spans a second it makes none: then its context is that of the sender.
   */
  message(from: Consumed, source: string | undefined, batch: Span, attributes?: Attributes): Span | undefined
  /** Begins the span of a request. @param route as it is declared, so without ids */
  request(method: string, route: string, source: string | undefined): Span
}

export interface Span {
  /** Passed on with its results (see context.ts). */
  readonly context: string
  /** Undefined if it is not sampled: no backend has that trace. */
  readonly traceId: string | undefined
  end(attributes?: Attributes): void
  fail(error: unknown): void
}

/** Where messages come from. */
export interface Consumed {
  readonly system: 'aws_sqs' | 'redis' | 'bullmq'
  /** Queue or stream, without the partition. */
  readonly destination: string
  readonly group?: string
  readonly partition?: number | undefined
}

/** The traces of jobs, and of errors that a span failed with, for the log lines that report them. */
const traces = new WeakMap<object, string>()

/** @param of a job or an error */
export function rememberTrace(of: unknown, traceId: string | undefined): void {
  if (traceId !== undefined && typeof of === 'object' && of !== null) traces.set(of, traceId)
}

/** Returns the trace of a job, or the one in which an error came up, as a field of a log line; nothing if there is none. */
export function traceOf(one: unknown): { traceId?: string } {
  const traceId = typeof one === 'object' && one !== null ? traces.get(one) : undefined
  return traceId === undefined ? {} : { traceId }
}

/** Returns telemetry whose log lines have the trace of a span that is sampled. */
export const tracedLines = (telemetry: Telemetry, span: Pick<Span, 'traceId'> | undefined): Telemetry =>
  span?.traceId === undefined ? telemetry : withFields(telemetry, { traceId: span.traceId })
