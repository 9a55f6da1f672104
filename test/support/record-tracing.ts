import type { Span, Tracing } from '../../src/tracing/tracing.ts'

/** Tracing without a collector: it keeps the sources of each batch, and makes no span of a message. */
export function recordTracing(): { tracing: Tracing; sources: (readonly (string | undefined)[])[] } {
  const sources: (readonly (string | undefined)[])[] = []
  const span: Span = { context: '', traceId: undefined, end: () => {}, fail: () => {} }
  const tracing: Tracing = {
    consume: (_, from) => {
      sources.push(from)
      return span
    },
    message: () => undefined,
    request: () => span,
    [Symbol.asyncDispose]: async () => {},
  }
  return { tracing, sources }
}
