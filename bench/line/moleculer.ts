import { createRequire } from 'node:module'
import { Redis } from 'ioredis'
import { chunks, countdown, type OpenContender } from './contender.ts'
import { type Admitted, count, judge, rank } from './effects.ts'

const require = createRequire(import.meta.url)

interface Broker {
  start(): Promise<void>
  stop(): Promise<void>
  createService(schema: object): unknown
  sendToChannel(channel: string, payload: object): Promise<void>
}
const { ServiceBroker } = require('moleculer') as { ServiceBroker: new (options: object) => Broker }
const { Middleware } = require('@moleculer/channels') as { Middleware: (options: object) => object }

/**
 * Runs @moleculer/channels with a channel per stage. `level` is maxInFlight. Effects use one auto-pipelined connection.
 */
export const open: OpenContender = async ({ url, orders, level }) => {
  const redis = new Redis(url, { enableAutoPipelining: true, maxRetriesPerRequest: null })
  const ranked = countdown(orders.length)
  // Reads block for at most a second, so that it can stop. By default they block forever.
  const consumerOptions = { startID: '0', readTimeoutInterval: 1_000 }
  const adapter = { type: 'Redis', options: { redis: { url, consumerOptions }, maxInFlight: level } }
  const broker = new ServiceBroker({
    logger: false,
    skipProcessEventRegistration: true,
    middlewares: [Middleware({ adapter })],
  })
  let begin = (): void => {}
  const channels = {
    'orders.raw': async ({ body }: { body: string }) => {
      begin()
      const { ledger, ...order } = judge(body)
      const fresh = await redis.hsetnx(ledger.current, ledger.field, ledger.value)
      if (fresh === 1) await broker.sendToChannel('orders.valid', order)
    },
    'orders.valid': async (order: Admitted) => {
      await count(redis, order)
      await broker.sendToChannel('orders.counted', order)
    },
    'orders.counted': async (order: Admitted) => {
      await rank(redis, order)
      ranked.tick()
    },
  }
  return {
    fill: async () => {
      for (const some of chunks(orders, 1_000)) {
        const pipeline = redis.pipeline()
        for (const { body } of some) pipeline.xadd('orders.raw', '*', 'payload', JSON.stringify({ body }))
        await pipeline.exec()
      }
    },
    // The clock starts at the first order, because the broker is slow to start.
    work: async (begun) => {
      let started = false
      begin = () => {
        if (!started) begun()
        started = true
      }
      broker.createService({ name: 'line', channels })
      await broker.start()
      await ranked.done
    },
    close: async () => {
      await broker.stop()
      redis.disconnect()
    },
  }
}
