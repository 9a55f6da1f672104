import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readConfig } from '../../src/config/config.ts'
import { enqueue } from '../../src/ingest/enqueue.ts'
import type { Keys } from '../../src/keys.ts'
import { withTrace } from '../../src/messages.ts'
import { openApp } from '../../src/ops/open/open-app.ts'
import { chunks, inParallel, type OpenContender } from './contender.ts'
import { workThrough } from './ours.ts'

/** Opens a collector that reads what it is sent, and forgets it. Its CPU counts as the process's own. */
async function openSink() {
  const server = createServer((request, reply) => {
    request.resume().on('end', () => reply.writeHead(200, { 'content-type': 'application/json' }).end('{}'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() }
}

/** Runs our stages with a collector. Of a thousand orders `level` are sampled by their producers, evenly spread. */
export const open: OpenContender = async ({ url, orders, level }) => {
  const sink = await openSink()
  const settings = { LOG_LEVEL: 'silent', STAGE_IN_FLIGHT: '4', CALENDAR: 'off', OTEL_TRACES_SAMPLER_ARG: '0' }
  const app = await openApp(readConfig({ ...settings, REDIS_URL: url, OTEL_EXPORTER_OTLP_ENDPOINT: sink.url }))
  const isSampled = (at: number): boolean => Math.floor((at * level) / 1_000) < Math.floor(((at + 1) * level) / 1_000)
  const context = (): string => `00-${randomUUID().replaceAll('-', '')}-${randomUUID().slice(-12)}0001-01`
  const records = orders.map(({ body }, at) =>
    withTrace({ id: randomUUID(), body }, isSampled(at) ? context() : undefined),
  )
  const { work, close } = workThrough(app, orders.length)
  return {
    fill: () => inParallel(chunks(records, 10), 16, (ten) => enqueue(app.redis, app.partitions[0] as Keys, ten)),
    work,
    close: async () => {
      await close()
      sink.close()
    },
  }
}
