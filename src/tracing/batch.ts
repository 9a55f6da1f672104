import type { Attributes } from '@opentelemetry/api'
import type { Consumed, Span, Tracing } from './tracing.ts'

/** A message that has ended: the contexts of its spans, and attributes that they get at their end. */
export interface EndedMessage {
  readonly contexts: readonly string[]
  readonly attributes?: Attributes | undefined
}

/** The spans of a batch: its own, and one of each message whose sender's trace is sampled. */
export interface BatchTrace {
  /** Goes on with what the batch writes. */
  readonly context: string
  /** Undefined if its own span is not sampled. */
  readonly traceId: string | undefined
  /**
   * Begins the spans of a message, once. Returns the contexts that go on with it.
   * @param sources of the spans that sent it; those that are not sampled have no span
   */
  continued(message: object, sources: readonly (string | undefined)[], attributes?: Attributes): readonly string[]
  /** @param messages the only ones that are in it after all; without them, all are */
  end(attributes?: Attributes, messages?: readonly EndedMessage[]): void
  /** @param isLast false if its messages are tried again at once, in batches with spans of their own */
  fail(error: unknown, isLast?: boolean): void
}

/** Begins the span of a batch. */
export function traceBatch(
  tracing: Tracing,
  from: Consumed,
  sources: readonly (string | undefined)[],
  count: number,
): BatchTrace {
  const span = tracing.consume(from, sources, { 'messaging.batch.message_count': count })
  const ofMessages = new Map<object, readonly string[]>()
  const spans = new Map<string, Span>()

  function begin(source: string | undefined, attributes: Attributes | undefined): string[] {
    const own = tracing.message(from, source, span, attributes)
    if (!own) return []
    spans.set(own.context, own)
    return [own.context]
  }

  return {
    ...{ context: span.context, traceId: span.traceId },
    continued: (message, sent, attributes) => {
      const known = ofMessages.get(message)
      if (known) return known
      const contexts = sent.flatMap((source) => begin(source, attributes))
      ofMessages.set(message, contexts)
      return contexts
    },
    end: (all, messages = [...ofMessages.values()].map((contexts) => ({ contexts }))) => {
      for (const { contexts, attributes } of messages as readonly EndedMessage[]) {
        for (const context of contexts) spans.get(context)?.end(attributes)
      }
      span.end(all)
    },
    fail: (error, isLast = true) => {
      span.fail(error)
      if (isLast) for (const own of spans.values()) own.fail(error)
    },
  }
}
