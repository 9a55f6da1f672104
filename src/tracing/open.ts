import type { Attributes, Link, SpanContext } from '@opentelemetry/api'
import { messageOf } from '../errors.ts'
import { contextText, readContext } from './context.ts'
import { errorType, messagingAttributes, operation, requestAttributes } from './conventions.ts'
import { openProvider, type Provider, type Traced } from './provider.ts'
import { type Consumed, rememberTrace, type Span, type Tracing } from './tracing.ts'

/** The SDK's limit. */
const maxLinks = 128
/** A collector that does not answer must not delay a stop. */
const lastExportMs = 1_000
/**
 * Spans of single messages in a second. Each costs some 30 µs until it is sent: 500 take 2 % of a core, and the 2,048 that
 * may wait outlast an export.
 */
const maxMessagesPerSecond = 500

/** Opens tracing if a collector is configured. */
export async function openTracing(traced: Traced): Promise<Tracing | undefined> {
  const { otelExporterOtlpEndpoint: endpoint } = traced.config
  if (endpoint === undefined) return undefined
  const provider = await openProvider(traced, endpoint)
  const { start, contextOf } = openSpans(provider)
  const { CONSUMER, SERVER } = provider.api.SpanKind
  const room = openRoom(maxMessagesPerSecond)
  const nameOf = ({ destination }: Consumed): string => `${operation} ${destination}`
  return {
    consume: (from, sources, more) => {
      const contexts = [...new Set(sources)].map(contextOf).filter((context) => context !== undefined)
      const sampled = contexts.filter(isSampled)
      const [parent = contexts[0], ...links] = sampled
      return start(nameOf(from), {
        kind: CONSUMER,
        parent,
        links,
        attributes: { ...messagingAttributes(from), ...more },
      })
    },
    message: (from, source, batch, more) => {
      const parent = contextOf(source)
      if (!parent || !isSampled(parent)) return undefined
      if (!room.take()) {
        traced.telemetry.emit('spansDropped', { reason: 'limit', spans: 1 })
        return { context: textOf(parent), traceId: parent.traceId, end: () => {}, fail: () => {} }
      }
      const link = batch.traceId === undefined ? undefined : contextOf(batch.context)
      const attributes = { ...messagingAttributes(from), ...more }
      return start(nameOf(from), { kind: CONSUMER, parent, links: link ? [link] : [], attributes })
    },
    request: (method, route, source) => {
      const attributes = requestAttributes(method, route)
      return start(`${method} ${route}`, { kind: SERVER, parent: contextOf(source), links: [], attributes })
    },
    [Symbol.asyncDispose]: async () => {
      const given = Promise.withResolvers<void>()
      const timer = setTimeout(given.resolve, lastExportMs)
      await Promise.race([provider.shutdown().catch(() => {}), given.promise])
      clearTimeout(timer)
    },
  }
}

interface Starting {
  readonly kind: number
  readonly parent: SpanContext | undefined
  readonly links: readonly SpanContext[]
  readonly attributes: Attributes
}

/** Returns functions that read contexts and start spans. */
function openSpans({ api, tracer, isChosen }: Provider) {
  const { ROOT_CONTEXT, SpanStatusCode, createTraceState, trace } = api

  function contextOf(source: string | undefined): SpanContext | undefined {
    const found = readContext(source)
    if (!found) return undefined
    const { traceId, spanId, isSampled = isChosen(traceId), state } = found
    const traceState = state === undefined ? {} : { traceState: createTraceState(state) }
    return { traceId, spanId, traceFlags: Number(isSampled), isRemote: true, ...traceState }
  }

  function start(name: string, { kind, parent, links: linked, attributes }: Starting): Span {
    const links = linked.slice(0, maxLinks).map((context): Link => ({ context }))
    const above = parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT
    const span = tracer.startSpan(name, { kind, attributes, links }, above)
    const context = span.spanContext()
    const traceId = isSampled(context) ? context.traceId : undefined
    return {
      context: textOf(context),
      traceId,
      end: (more = {}) => span.setAttributes(more).end(),
      fail: (error) => {
        rememberTrace(error, traceId)
        span.setAttribute('error.type', errorType(error))
        span.setStatus({ code: SpanStatusCode.ERROR, message: messageOf(error) }).end()
      },
    }
  }
  return { contextOf, start }
}

const isSampled = ({ traceFlags }: SpanContext): boolean => (traceFlags & 1) === 1

const textOf = (context: SpanContext): string =>
  contextText({ ...context, isSampled: isSampled(context), state: context.traceState?.serialize() })

/** Gives so many places in each second. */
function openRoom(perSecond: number) {
  let [second, left] = [0, perSecond]
  return {
    take: (): boolean => {
      const now = Math.floor(performance.now() / 1_000)
      if (now !== second) [second, left] = [now, perSecond]
      return left-- > 0
    },
  }
}
