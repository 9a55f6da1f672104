import type { Attributes, SpanContext } from '@opentelemetry/api'
import type { Config } from './config/config.ts'
import { messageOf } from './errors.ts'

/** Sends spans to an OpenTelemetry collector. Exists only if one is configured. */
export interface Tracing extends AsyncDisposable {
  /**
   * Begins the span of a batch.
   * @param sources traceparents (or X-Ray headers) of the batch's messages. The first sampled one is its parent; all sampled
   * ones are linked.
   */
  span(name: string, sources: readonly (string | undefined)[], attributes: Attributes): BatchSpan
}

export interface BatchSpan {
  /** Passed on with the batch's results: https://www.w3.org/TR/trace-context/#traceparent-header */
  readonly traceparent: string
  end(attributes?: Attributes): void
  fail(error: unknown): void
}

/** The SDK's limit. */
const maxLinks = 128
/** A collector that does not answer must not delay a stop. */
const lastExportMs = 1_000

/** The SDK is loaded only where a collector is configured. */
export async function openTracing({
  otelExporterOtlpEndpoint,
  otelTracesSamplerArg,
}: Config): Promise<Tracing | undefined> {
  if (otelExporterOtlpEndpoint === undefined) return undefined
  const [
    { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace },
    { BatchSpanProcessor, ParentBasedSampler, TraceIdRatioBasedSampler, TracerProvider },
    { OTLPTraceExporter },
    { defaultResource, detectResources, envDetector, resourceFromAttributes, serviceNameEnvDetector },
  ] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
  ])
  const exporter = new OTLPTraceExporter({ url: `${otelExporterOtlpEndpoint.replace(/\/$/, '')}/v1/traces` })
  const named = resourceFromAttributes({ 'service.name': 'order-pipeline' })
  const configured = detectResources({ detectors: [envDetector, serviceNameEnvDetector] })
  const provider = new TracerProvider({
    resource: defaultResource().merge(named).merge(configured),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(otelTracesSamplerArg) }),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  })
  const tracer = provider.getTracer('order-pipeline')
  return {
    span: (name, sources, attributes) => {
      const contexts = [...new Set(sources)].map(contextOf).filter((context) => context !== undefined)
      const sampled = contexts.filter(({ traceFlags }) => traceFlags === 1)
      const first = sampled[0] ?? contexts[0]
      const parent = first ? trace.setSpanContext(ROOT_CONTEXT, first) : ROOT_CONTEXT
      const links = sampled.slice(0, maxLinks).map((context) => ({ context }))
      const span = tracer.startSpan(name, { kind: SpanKind.CONSUMER, attributes, links }, parent)
      return {
        traceparent: traceparentOf(span.spanContext()),
        end: (more = {}) => span.setAttributes(more).end(),
        fail: (error) => {
          span.setStatus({ code: SpanStatusCode.ERROR, message: messageOf(error) }).end()
        },
      }
    },
    [Symbol.asyncDispose]: async () => {
      const given = Promise.withResolvers<void>()
      const timer = setTimeout(given.resolve, lastExportMs)
      await Promise.race([provider.shutdown().catch(() => {}), given.promise])
      clearTimeout(timer)
    },
  }
}

const w3c = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/
/** Format of the message attribute AWSTraceHeader, which AWS sets. */
const xRay = /^Root=1-([0-9a-f]{8})-([0-9a-f]{24});Parent=([0-9a-f]{16});Sampled=([01])/

function contextOf(source: string | undefined): SpanContext | undefined {
  const [, traceId, spanId, flags] = w3c.exec(source ?? '') ?? []
  if (traceId && spanId && flags) return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true }
  const [, time, rest, parent, sampled] = xRay.exec(source ?? '') ?? []
  if (time && rest && parent)
    return { traceId: time + rest, spanId: parent, traceFlags: Number(sampled), isRemote: true }
  return undefined
}

function traceparentOf({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags === 1 ? '01' : '00'}`
}
