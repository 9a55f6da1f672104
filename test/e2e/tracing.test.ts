import { createServer } from 'node:http'
import { SendMessageBatchCommand } from '@aws-sdk/client-sqs'
import { expect, test } from 'vitest'
import { readConfig } from '../../src/config/config.ts'
import { openQueue } from '../../src/ingest/sqs/queue.ts'
import { makePartitions } from '../../src/keys.ts'
import { openTracing } from '../../src/opentelemetry.ts'
import { publish } from '../support/enveloped.ts'
import { listen } from '../support/listen.ts'
import { runOrders } from '../support/run-orders.ts'
import { shipped as pipeline } from '../support/stages.ts'
import { until } from '../support/until.ts'
import { type Env, emptyRedis, emptySqs, envOf } from '../support/world.ts'

interface Span {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly links?: readonly { traceId: string; spanId: string }[]
}

/** Opens what an exporter needs of a collector: OTLP over HTTP, as JSON. */
async function openCollector() {
  const spans: Span[] = []
  const server = createServer(async (request, reply) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { resourceSpans = [] } = JSON.parse(Buffer.concat(chunks).toString())
    for (const { scopeSpans } of resourceSpans) for (const scope of scopeSpans) spans.push(...scope.spans)
    reply.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
  return { ...(await listen(server)), spans }
}

const traceId = '0af7651916cd43dd8448eb211c80319c'
const w3c = `00-${traceId}-b7ad6b7169203331-01`

async function send(env: Env): Promise<void> {
  using queue = await openQueue(readConfig(env))
  const body = (order_id: string): string => JSON.stringify({ user_id: 'u', order_id, order_value: 1 })
  const traceparent = { DataType: 'String', StringValue: w3c }
  const Entries = [
    { Id: '1', MessageBody: body('1'), MessageAttributes: { traceparent } },
    { Id: '2', MessageBody: body('2') },
  ]
  await queue.sqs.send(new SendMessageBatchCommand({ QueueUrl: queue.url, Entries }))
}

test('spans lead from the message through the bridge and each stage, across processes', async () => {
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  await using collector = await openCollector()
  const env = envOf(world.url, sqs, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })
  await send(env)
  const roles = ['bridge', ...pipeline.stages.map(({ name }) => name)]
  const processes = roles.map((role) => runOrders(['run', role], env))
  await until(
    'all to be ranked',
    () => world.redis.hget('pipeline:counters', 'ranked'),
    (ranked) => ranked === '2',
  )
  for (const process of processes) {
    await process.stop() // exports what it has
    await process[Symbol.asyncDispose]()
  }
  const spanOf = (name: string, { spanId }: { spanId: string }): Span => {
    const found = collector.spans.find((span) => span.name === name && span.parentSpanId === spanId)
    if (!found) throw new Error(`no span ${name} below ${spanId}: ${JSON.stringify(collector.spans)}`)
    return found
  }
  let above: Span = spanOf('bridge', { spanId: 'b7ad6b7169203331' })
  for (const { name } of pipeline.stages) {
    const span = spanOf(name, above)
    expect(span).toMatchObject({ traceId, links: [{ traceId, spanId: above.spanId }] })
    above = span
  }
})

test('a message that AWS traces is linked too, and what is no trace is left out', async () => {
  await using collector = await openCollector()
  const tracing = await openTracing(readConfig({ OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/` }))
  const unsampled = (traceId: string): string => `00-${traceId}-${traceId.slice(16)}-00`
  const xRay = 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1'
  tracing
    ?.span('bridge', [undefined, unsampled('e'.repeat(32)), 'nonsense', xRay, w3c, xRay], { some: 1 })
    .end({ more: 2 })
  const none = tracing?.span('bridge', [unsampled('f'.repeat(32))], {})
  none?.end()
  expect(none?.traceparent).toMatch(/-00$/)
  await tracing?.[Symbol.asyncDispose]()
  expect(collector.spans).toHaveLength(1)
  const [span] = collector.spans
  expect(span).toMatchObject({ traceId: '5759e988bd862e3fe1be46a994272793', parentSpanId: '53995c3f42cd8ad8' })
  expect(span?.links?.map(({ spanId }) => spanId)).toEqual(['53995c3f42cd8ad8', 'b7ad6b7169203331'])
})

test.each(['topic', 'raw'] as const)(
  'a span that published to SNS leads to the bridge, with and without raw message delivery, for each order of a body: %s',
  async (way) => {
    await using world = await emptyRedis()
    await using sqs = await emptySqs()
    await using collector = await openCollector()
    const more = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ORDERS_PER_BODY: 'many', PARTITIONS: '2' }
    const env = envOf(world.url, sqs, more)
    const order = (user_id: string): string => JSON.stringify({ user_id, order_id: 'o', order_value: 1 })
    await publish(env, way, [`[${order('ada')},${order('bob')},${order('joe')},${order('u5')}]`], w3c)
    await using bridge = runOrders(['run', 'bridge'], env)
    const written = async (): Promise<number> => {
      const counters = makePartitions(2).map(({ counters }) => world.redis.hget(counters, 'received'))
      return (await Promise.all(counters)).reduce((sum, count) => sum + Number(count), 0)
    }
    await until('all to be written', async () => (await written()) === 4)
    await bridge.stop()
    const spans = collector.spans.filter(({ name }) => name === 'bridge')
    expect(spans).toHaveLength(2)
    for (const span of spans) expect(span).toMatchObject({ traceId, parentSpanId: 'b7ad6b7169203331' })
  },
)

test('without a collector entries carry no trace', async () => {
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(world.url, sqs)
  await send(env)
  await using bridge = runOrders(['run', 'bridge'], env)
  await until('the orders to be there', () => world.redis.xlen('orders:raw'))
  const [[, fields = []] = ['', []]] = await world.redis.xrange('orders:raw', '-', '+')
  expect(fields.filter((_, at) => at % 2 === 0)).toEqual(['n', 'c', 'r', 't'])
  await bridge.stop()
})
