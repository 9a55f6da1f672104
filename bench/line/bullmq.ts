import { type ConnectionOptions, type Job, Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { chunks, countdown, type OpenContender } from './contender.ts'
import { type Admitted, count, judge, rank } from './effects.ts'

/**
 * A BullMQ queue per stage. `level` is each worker's concurrency. In its favor: addBulk for all that the jobs of one tick
 * emit, effects on one auto-pipelined connection, jobs removed when done, and no protection from a kill halfway.
 */
export const open: OpenContender = async ({ url, orders, level }) => {
  const redis = new Redis(url, { enableAutoPipelining: true, maxRetriesPerRequest: null })
  const connection = new Redis(url, { maxRetriesPerRequest: null }) as ConnectionOptions
  const defaultJobOptions = { removeOnComplete: true, removeOnFail: true }
  const queue = (name: string): Queue => new Queue(name, { connection, defaultJobOptions })
  const queues = { raw: queue('raw'), valid: queue('valid'), counted: queue('counted') }
  const emitValid = collector(queues.valid)
  const emitCounted = collector(queues.counted)
  const ranked = countdown(orders.length)
  const stages = {
    raw: async ({ data }: Job) => {
      const { ledger, ...order } = judge(data.body)
      const fresh = await redis.hsetnx(ledger.current, ledger.field, ledger.value)
      if (fresh === 1) await emitValid(order)
    },
    valid: async ({ data }: Job) => {
      await count(redis, data)
      await emitCounted(data)
    },
    counted: async ({ data }: Job) => {
      await rank(redis, data)
      ranked.tick()
    },
  }
  const options = { connection, concurrency: level, removeOnComplete: { count: 0 } }
  const workers = Object.entries(stages).map(
    ([name, process]) => new Worker(name, process, { ...options, autorun: false }),
  )
  return {
    fill: async () => {
      for (const some of chunks(orders, 1_000)) {
        await queues.raw.addBulk(some.map(({ body }) => ({ name: 'order', data: { body } })))
      }
    },
    work: async (begun) => {
      await Promise.all(workers.map((worker) => worker.waitUntilReady()))
      begun()
      for (const worker of workers) worker.run().catch(() => {})
      await ranked.done
    },
    close: async () => {
      await Promise.all([...workers, ...Object.values(queues)].map((part) => part.close()))
      redis.disconnect()
      ;(connection as Redis).disconnect()
    },
  }
}

/** Adds what is emitted in one tick of the event loop with one addBulk. */
function collector(queue: Queue): (order: Admitted) => Promise<unknown> {
  let waiting: { name: string; data: Admitted }[] = []
  let flushed: Promise<unknown> | undefined
  return (data) => {
    waiting.push({ name: 'order', data })
    flushed ??= new Promise((resolve) => setImmediate(resolve)).then(() => {
      const all = waiting
      waiting = []
      flushed = undefined
      return queue.addBulk(all)
    })
    return flushed
  }
}
