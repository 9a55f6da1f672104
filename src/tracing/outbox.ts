import type { BatchSpanProcessor, ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace'
import { messageOf } from '../errors.ts'
import type { Telemetry } from '../telemetry.ts'

/** The most spans that wait for the collector, as in the SDK, which drops the others without a word. */
const maxWaiting = 2_048
/** ExportResultCode.SUCCESS. */
const success = 0

/**
 * Counts the spans that the collector does not get, and reports its outages: one line when it is away, one when it is back.
 * Makes the two ends of a processor of the SDK, which sends from time to time what it was given.
 */
export function openOutbox(telemetry: Telemetry, exporter: SpanExporter) {
  let waiting = 0
  let missing: number | undefined
  const dropped = (spans: number, reason: 'collector' | 'full'): void => {
    if (missing !== undefined) missing += spans
    telemetry.emit('spansDropped', { reason, spans })
  }
  const reporting: SpanExporter = {
    export: (spans, done) => {
      exporter.export(spans, (result) => {
        waiting -= spans.length
        if (result.code === success) {
          if (missing !== undefined) telemetry.emit('collectorBack', { spans: missing })
          missing = undefined
        } else {
          if (missing === undefined) telemetry.emit('collectorAway', { error: messageOf(result.error ?? 'no reply') })
          missing ??= 0
          dropped(spans.length, 'collector')
        }
        done(result)
      })
    },
    shutdown: () => exporter.shutdown(),
    ...(exporter.forceFlush && { forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve() }),
  }
  const bounded = (processor: BatchSpanProcessor): SpanProcessor => ({
    onStart: (span, parent) => processor.onStart(span, parent),
    onEnd: (span: ReadableSpan) => {
      if ((span.spanContext().traceFlags & 1) === 0) return
      if (waiting >= maxWaiting) return dropped(1, 'full')
      waiting++
      processor.onEnd(span)
    },
    forceFlush: () => processor.forceFlush(),
    shutdown: () => processor.shutdown(),
  })
  return { exporter: reporting, bounded, maxQueueSize: maxWaiting }
}
