import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { expect, test } from 'vitest'
import { openTelemetry } from '../../../src/telemetry.ts'
import { openOutbox } from '../../../src/tracing/outbox.ts'
import { openCollector } from '../../support/collector.ts'

/** Opens a tracer that sends to a collector. One that is away is tried for 0.2 s. */
function open(url: string) {
  const telemetry = openTelemetry()
  const events: unknown[] = []
  telemetry.listen((name, fields) => void events.push([name, fields]))
  const sender = new OTLPTraceExporter({ url: `${url}/v1/traces`, timeoutMillis: 200 })
  const { exporter, bounded, maxQueueSize } = openOutbox(telemetry, sender)
  const provider = new TracerProvider({ spanProcessors: [bounded(new BatchSpanProcessor({ exporter, maxQueueSize }))] })
  const tracer = provider.getTracer('test')
  const give = (spans: number): void => {
    for (let at = 0; at < spans; at++) tracer.startSpan('span').end()
  }
  const send = (): Promise<void> => provider.forceFlush().catch(() => {})
  return { give, send, events, [Symbol.asyncDispose]: () => provider.shutdown().catch(() => {}) }
}

test('a collector that is away is reported once, what it misses is counted, and it is reported when it is back', async () => {
  const away = await openCollector()
  const port = Number(new URL(away.url).port)
  await away[Symbol.asyncDispose]()
  await using outbox = open(away.url)
  for (const spans of [1, 2]) {
    outbox.give(spans)
    await outbox.send()
  }
  expect(outbox.events).toEqual([
    ['collectorAway', { error: expect.stringContaining('ECONNREFUSED') }],
    ['spansDropped', { reason: 'collector', spans: 1 }],
    ['spansDropped', { reason: 'collector', spans: 2 }],
  ])
  await using back = await openCollector(port)
  for (const _ of ['first', 'second']) {
    outbox.give(1)
    await outbox.send()
  }
  expect(outbox.events.slice(3)).toEqual([['collectorBack', { spans: 3 }]])
  expect(back.spans).toHaveLength(2)
})

test('spans that find no place are counted, and those that have one are sent', async () => {
  await using collector = await openCollector()
  await using outbox = open(collector.url)
  outbox.give(2_050)
  expect(outbox.events).toEqual([1, 2].map(() => ['spansDropped', { reason: 'full', spans: 1 }]))
  while (collector.spans.length < 2_048) await outbox.send()
  outbox.give(1)
  await outbox.send()
  expect(collector.spans).toHaveLength(2_049)
  expect(outbox.events).toHaveLength(2)
})
