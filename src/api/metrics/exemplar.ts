import { readContext } from '../../tracing/context.ts'

/** Names a span in an exemplar. These are the names that Grafana looks for. */
export interface SpanLabels extends Readonly<Record<string, string>> {
  readonly trace_id: string
  readonly span_id: string
}

/** Shows where a value of a histogram came from: the span of one of the orders that it counts. */
export interface Exemplar {
  readonly labelSet: SpanLabels
  readonly value: number
  /** In seconds. */
  readonly timestamp: number
}

/** Returns undefined for a trace that no backend has. @param context of the span (see src/tracing/context.ts) */
export function spanLabels(context: string): SpanLabels | undefined {
  const found = readContext(context)
  return found?.isSampled ? { trace_id: found.traceId, span_id: found.spanId } : undefined
}
