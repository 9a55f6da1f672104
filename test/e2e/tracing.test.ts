import { SendMessageBatchCommand } from '@aws-sdk/client-sqs'
import { expect, test } from 'vitest'
import { readConfig } from '../../src/config/config.ts'
import { openQueue } from '../../src/ingest/sqs/queue.ts'
import { makePartitions } from '../../src/keys.ts'
import { openTelemetry } from '../../src/telemetry.ts'
import { openTracing } from '../../src/tracing/open.ts'
import { version } from '../../src/version.ts'
import { consumer, openCollector, type Span, server } from '../support/collector.ts'
import { fillDeadLetters } from '../support/dead-letters.ts'
import { publish } from '../support/enveloped.ts'
import type { Sample } from '../support/exposition.ts'
import { corrected, ended, type JobView, send as sendRequest } from '../support/jobs.ts'
import { scrapeOpenly } from '../support/openmetrics.ts'
import { runOrders } from '../support/run-orders.ts'
import { shipped as pipeline } from '../support/stages.ts'
import { until } from '../support/until.ts'
import { type Env, emptyRedis, emptySqs, envOf } from '../support/world.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const w3c = `00-${traceId}-b7ad6b7169203331-01`
const hex = (length: number, value: number): string => value.toString(16).padStart(length, '0')

/** An order, and the span that sent it: each producer has a trace of its own. */
interface Sent {
  readonly body: string
  readonly traceparent?: string
}

const order = (at: number, user = `u${at % 3}`): string =>
  JSON.stringify({ user_id: user, order_id: `o${at}`, order_value: 1 })
const producer = (at: number): Pick<Span, 'traceId' | 'spanId'> => ({
  traceId: hex(32, at + 1),
  spanId: hex(16, at + 1),
})
const traced = (at: number, flags: string): string => `00-${producer(at).traceId}-${producer(at).spanId}-${flags}`

/** Sends messages, ten at a time. */
async function send(env: Env, messages: readonly Sent[]): Promise<void> {
  using queue = await openQueue(readConfig(env))
  const attribute = (StringValue: string) => ({ DataType: 'String', StringValue })
  for (let at = 0; at < messages.length; at += 10) {
    const Entries = messages.slice(at, at + 10).map(({ body: MessageBody, traceparent }, place) => ({
      ...{ Id: `${place}`, MessageBody },
      ...(traceparent && {
        MessageAttributes: { traceparent: attribute(traceparent), tracestate: attribute('rojo=1,congo=t61') },
      }),
    }))
    await queue.sqs.send(new SendMessageBatchCommand({ QueueUrl: queue.url, Entries }))
  }
}

const roles = ['bridge', ...pipeline.stages.map(({ name }) => name)]

test('the trace of each of thirty producers goes on through every stage, across processes, and no other', async () => {
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  await using collector = await openCollector()
  const env = envOf(world.url, sqs, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, METRICS_PORT: '0' })
  const sampled = Array.from({ length: 30 }, (_, at): Sent => ({ body: order(at), traceparent: traced(at, '01') }))
  const rejected = { body: order(30).replace('order_value', 'value'), traceparent: traced(30, '01') }
  const others = [{ body: order(31), traceparent: traced(31, '00') }, { body: order(32) }]
  await send(env, [...sampled, rejected, ...others])
  const processes = roles.map((role) => runOrders(['run', role], { ...env, LOG_LEVEL: 'debug' }))
  await until(
    'all to be ranked',
    () => world.redis.hget('pipeline:counters', 'ranked'),
    (ranked) => ranked === '32',
  )
  const scraped = await Promise.all(processes.map(async (process) => scrapeOpenly(await process.apiUrl())))
  for (const process of processes) {
    await process.stop() // exports what it has
    await process[Symbol.asyncDispose]()
  }
  const isBatch = ({ attributes }: Span): boolean => 'messaging.batch.message_count' in attributes
  const batches = new Map(collector.spans.filter(isBatch).map((span) => [span.spanId, span]))
  const messages = collector.spans.filter((span) => !isBatch(span))
  const below = (above: Pick<Span, 'traceId' | 'spanId'>, name: string, group?: string): Span => {
    const found = messages.filter((span) => {
      const isOf = span.traceId === above.traceId && span.parentSpanId === above.spanId && span.name === name
      return isOf && span.attributes['messaging.consumer.group.name'] === group
    })
    expect(found, `${name} of ${group}`).toHaveLength(1)
    const [span] = found as [Span]
    expect(span).toMatchObject({ kind: consumer, traceState: 'rojo=1,congo=t61' })
    const [link] = span.links
    expect(batches.get(link?.spanId ?? ''), 'the batch that it links').toMatchObject({ name, traceId: link?.traceId })
    return span
  }
  for (const at of sampled.keys()) {
    const received = below(producer(at), `process ${sqs.queueName}`)
    const judged = below(received, 'process orders:raw', 'validate')
    below(below(judged, 'process orders:valid', 'aggregate'), 'process orders:counted', 'leaderboard')
  }
  const wrong = below(below(producer(30), `process ${sqs.queueName}`), 'process orders:raw', 'validate')
  expect(wrong.attributes['orders.reject_code']).toBe('missing-field')
  expect(messages).toHaveLength(30 * roles.length + 2)
  expect(collector.spans.map((span) => span.traceId)).not.toContain(producer(31).traceId)
  // A log line leads to the trace of the order that it reports.
  const lines = processes.flatMap((process) => process.events('rejected'))
  expect(lines).toMatchObject([{ code: 'missing-field', traceId: producer(30).traceId }])
  const traces = new Set(collector.spans.filter(isBatch).map((span) => span.traceId))
  for (const event of ['enqueued', 'committed']) {
    const lines = processes.flatMap((process) => process.events(event))
    expect(lines, event).not.toEqual([])
    for (const line of lines) expect(traces, event).toContain(line['traceId'])
  }
  // Exemplars lead from the waits of a hop to spans of messages there.
  const spanOf = (labels: Sample['labels']): Span | undefined =>
    messages.find(({ traceId, spanId }) => traceId === labels['trace_id'] && spanId === labels['span_id'])
  const shown = scraped.flat().flatMap(({ name, labels: { hop = 'leaderboard' }, exemplar }) => {
    if (!exemplar) return []
    const { attributes } = spanOf(exemplar.labels) ?? expect.fail(`no span of ${hop}`)
    expect(attributes['messaging.consumer.group.name']).toBe(hop === 'bridge' ? undefined : hop)
    return [`${name} ${hop}`]
  })
  const waits = [
    ...roles.map((hop) => `orders_hop_wait_seconds_bucket ${hop}`),
    'orders_critical_time_seconds_bucket leaderboard',
  ]
  expect([...new Set(shown)].sort()).toEqual(waits.sort())

  for (const span of collector.spans) {
    const isOfParent = span.links.some((link) => link.traceId === span.traceId && link.spanId === span.parentSpanId)
    expect(isOfParent, 'a link to its own parent').toBe(false)
  }
  expect(wrong.attributes).toMatchObject({
    'messaging.system': 'redis',
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    'messaging.destination.name': 'orders:raw',
    'messaging.consumer.group.name': 'validate',
  })
  const bridge = collector.spans.find((span) => span.attributes['messaging.system'] === 'aws_sqs')
  expect(bridge?.attributes).toMatchObject({ 'messaging.destination.name': sqs.queueName })
  const resources = collector.spans.map(({ resource }) => resource)
  for (const resource of resources) {
    expect(resource).toMatchObject({ 'service.name': 'order-pipeline', 'service.version': version })
  }
  expect(new Set(resources.map((resource) => resource['service.instance.id'])).size).toBe(roles.length)
})

test('the trace of a request goes on through its job and the stages: a new order, a corrected one, dead letters', async () => {
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  await using collector = await openCollector()
  const env = envOf(world.url, sqs, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, LOG_LEVEL: 'debug' })
  const letters: Sent[] = [{ body: order(4), traceparent: traced(4, '01') }, { body: order(5) }]
  await fillDeadLetters(env, [], (to) => send(to, letters))
  await using line = runOrders(['run', ...roles.slice(1), 'jobs', 'api'], env)
  await line.started()
  const url = await line.apiUrl()
  const ask = async (method: string, path: string, at: number, order: object): Promise<JobView> => {
    const headers = { traceparent: traced(at, '01'), tracestate: 'rojo=1' }
    const { body } = await sendRequest(`${url}${path}`, method, order, headers)
    return ended(url, body['job_id'])
  }
  const { verdict } = await ask('POST', '/orders/reprocess', 1, { ...corrected, order_value: 11 })
  expect(verdict).toMatchObject({ verdict: 'rejected', code: 'total-mismatch' })
  await ask('PUT', `/orders/invalid/${verdict?.['invalid_id']}`, 2, corrected)
  const { result } = await ask('POST', '/dlq/redrive', 3, { limit: 2 })
  expect(result).toMatchObject({ sent: 2, admitted: 2 })
  await until(
    'all to be ranked',
    () => world.redis.hget('pipeline:counters', 'ranked'),
    (ranked) => ranked === '3',
  )
  await line.stop()
  const below = (above: Pick<Span, 'traceId' | 'spanId'>): Span[] =>
    collector.spans.filter((span) => span.traceId === above.traceId && span.parentSpanId === above.spanId)
  const way = (at: number, state = 'rojo=1'): string[] => {
    const names: string[] = []
    for (let above: Pick<Span, 'traceId' | 'spanId'> = producer(at); ; ) {
      const [span, ...more] = below(above)
      if (!span) return names
      expect([span.traceState, more]).toEqual([state, []])
      names.push(`${span.name}${span.kind === server ? ' of a server' : ''}`)
      above = span
    }
  }
  expect(way(1)).toEqual(['POST /orders/reprocess of a server', 'process reprocess', 'process orders:raw'])
  const raw = ['process reprocess', 'process orders:raw', 'process orders:valid', 'process orders:counted']
  expect(way(2)).toEqual(['PUT /orders/invalid/{id} of a server', ...raw])

  // So do the log lines of the request and of its job.
  for (const event of ['audited', 'request', 'received', 'enqueued', 'requeued', 'redriven', 'jobDone']) {
    expect(line.events(event), event).toContainEqual(expect.objectContaining({ traceId: producer(3).traceId }))
  }

  // A dead letter goes on with the trace of its producer; one without is in that of the request. The receive is below the job.
  const redriven = `process ${sqs.queueName}-dlq`
  expect(way(4, 'rojo=1,congo=t61')).toEqual([redriven, ...raw.slice(1)])
  const [job, ...noOther] = below(producer(3)).flatMap(below)
  expect([job?.name, noOther]).toEqual(['process redrive', []])
  const isBatch = ({ attributes }: Span): boolean => 'messaging.batch.message_count' in attributes
  const [receives = [], messages = []] = [isBatch, (span: Span) => !isBatch(span)].map((is) =>
    below(job as Span).filter(is),
  )
  expect(receives.map(({ name }) => name)).toEqual(receives.map(() => redriven))
  expect(messages.map(({ name }) => name)).toEqual([redriven])
  const linked = receives.flatMap(({ links }) => links.map((link) => link.spanId))
  expect(linked).toEqual([producer(4).spanId])
  const [request] = collector.spans.filter(({ kind }) => kind === server)
  expect(request?.attributes).toEqual({
    'http.request.method': 'POST',
    'http.route': '/orders/reprocess',
    'http.response.status_code': 202,
  })
})

/** Opens tracing in this process. `events` are those that it emits. */
async function traceTo(url: string, more: Env = {}) {
  const telemetry = openTelemetry()
  const events: (readonly [name: string, fields: object])[] = []
  telemetry.listen((name, fields) => void events.push([name, fields]))
  const config = readConfig({ OTEL_EXPORTER_OTLP_ENDPOINT: url, ...more })
  const tracing = await openTracing({ config, telemetry, instance: 'here' })
  if (!tracing) throw new Error('no tracing')
  return { tracing, events, [Symbol.asyncDispose]: () => tracing[Symbol.asyncDispose]() }
}

const queue = { system: 'aws_sqs', destination: 'orders' } as const

test('a batch goes on with the first sampled trace and links the others; what is no trace is left out', async () => {
  await using collector = await openCollector()
  const { tracing } = await traceTo(`${collector.url}/`)
  const unsampled = (id: string): string => `00-${id}-${id.slice(16)}-00`
  const xRay = 'Self=1-67891234-12456789abcdef0123456789;Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1'
  const none = tracing.consume(queue, [unsampled('f'.repeat(32))])
  none.end()
  expect(none).toMatchObject({ context: expect.stringMatching(/^00-f+-\w{16}-00$/), traceId: undefined })
  const zeros = `00-${'0'.repeat(32)}-${'0'.repeat(16)}-01`
  const span = tracing.consume(queue, [undefined, unsampled('e'.repeat(32)), 'nonsense', zeros, xRay, w3c, xRay], {
    some: 1,
  })
  tracing.message(queue, w3c, none)?.end()
  span.fail(Object.assign(new Error('WRONGTYPE of a key'), { name: 'ReplyError' }))
  await tracing[Symbol.asyncDispose]()
  const [message, batch] = collector.spans
  expect(message?.links).toEqual([]) // the batch is in no trace that is kept
  expect(batch).toMatchObject({
    traceId: '5759e988bd862e3fe1be46a994272793',
    name: 'process orders',
    status: { code: 2 },
  })
  expect(batch?.links.map(({ spanId }) => spanId)).toEqual(['b7ad6b7169203331'])
  expect(batch?.attributes).toMatchObject({ some: 1, 'error.type': 'WRONGTYPE' })
})

test('where the sender leaves the decision to us, the share of OTEL_TRACES_SAMPLER_ARG is sampled', async () => {
  await using collector = await openCollector()
  for (const [share, sampled] of [
    ['0', false],
    ['1', true],
  ] as const) {
    await using opened = await traceTo(collector.url, { OTEL_TRACES_SAMPLER_ARG: share })
    const asked = 'Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=?'
    const batch = opened.tracing.consume(queue, [asked])
    expect(opened.tracing.message(queue, asked, batch) !== undefined).toBe(sampled)
  }
})

test('beyond 500 messages in a second traces go on without a span of ours, and these are counted', async () => {
  await using collector = await openCollector()
  const { tracing, events } = await traceTo(collector.url)
  const batch = tracing.consume(queue, [])
  const spans = Array.from({ length: 1_600 }, () => tracing.message(queue, w3c, batch))
  for (const span of spans) span?.end()
  const missing = spans.filter((span) => span?.context === w3c)
  expect(missing.length).toBeGreaterThanOrEqual(100) // three seconds at most
  expect(events).toEqual(missing.map(() => ['spansDropped', { reason: 'limit', spans: 1 }]))
  await tracing[Symbol.asyncDispose]()
  expect(collector.spans).toHaveLength(1_600 - missing.length)
})

test.each(['topic', 'raw'] as const)(
  'a span that published to SNS leads to the bridge, with and without raw message delivery, for each order of a body: %s',
  async (way) => {
    await using world = await emptyRedis()
    await using sqs = await emptySqs()
    await using collector = await openCollector()
    const more = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ORDERS_PER_BODY: 'many', PARTITIONS: '2' }
    const env = envOf(world.url, sqs, more)
    const users = ['ada', 'bob', 'joe', 'u5']
    await publish(env, way, [`[${users.map((user) => order(1, user)).join()}]`], w3c)
    await using bridge = runOrders(['run', 'bridge'], env)
    const written = async (): Promise<number> => {
      const counters = makePartitions(2).map(({ counters }) => world.redis.hget(counters, 'received'))
      return (await Promise.all(counters)).reduce((sum, count) => sum + Number(count), 0)
    }
    await until('all to be written', async () => (await written()) === 4)
    await bridge.stop()
    const spans = collector.spans.filter(({ name }) => name === `process ${sqs.queueName}`)
    expect(spans).toHaveLength(4) // of the write and of the message, in each of two partitions
    for (const span of spans) expect(span).toMatchObject({ traceId, parentSpanId: 'b7ad6b7169203331' })
  },
)

test('without a collector entries and records carry no trace', async () => {
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(world.url, sqs)
  await send(env, [{ body: order(1), traceparent: w3c }])
  await using bridge = runOrders(['run', 'bridge'], env)
  await until('the orders to be there', () => world.redis.xlen('orders:raw'))
  const [[, fields = []] = ['', []]] = await world.redis.xrange('orders:raw', '-', '+')
  expect(fields.filter((_, at) => at % 2 === 0)).toEqual(['n', 'c', 'r', 't'])
  expect(fields.join()).not.toContain('trace')
  await bridge.stop()
})
