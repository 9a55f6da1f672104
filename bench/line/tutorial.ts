import { Redis } from 'ioredis'
import { chunks, countdown, type OpenContender } from './contender.ts'
import { type Admitted, count, judge, keys, rank } from './effects.ts'

/**
 * Runs the loop of the tutorials: XREADGROUP, then for each message its effects, the next XADD and its XACK in a MULTI.
 * `level` is the number of loops per stage, each with its own connection.
 */
export const open: OpenContender = async ({ url, orders, level }) => {
  const ranked = countdown(orders.length)
  const stages: readonly Stage[] = [
    {
      name: 'validate',
      stream: keys.stream('raw'),
      handle: async (redis, id, text) => {
        const { ledger, ...order } = judge(text)
        const fresh = await redis.hsetnx(ledger.current, ledger.field, ledger.value)
        const multi = redis.multi()
        if (fresh === 1) multi.xadd(keys.stream('valid'), '*', 'order', JSON.stringify(order))
        await multi.xack(keys.stream('raw'), 'validate', id).exec()
      },
    },
    {
      name: 'aggregate',
      stream: keys.stream('valid'),
      handle: async (redis, id, text) => {
        const multi = redis.multi()
        void count(multi, JSON.parse(text) as Admitted)
        await multi.xadd(keys.stream('counted'), '*', 'order', text).xack(keys.stream('valid'), 'aggregate', id).exec()
      },
    },
    {
      name: 'leaderboard',
      stream: keys.stream('counted'),
      handle: async (redis, id, text) => {
        const multi = redis.multi()
        void rank(multi, JSON.parse(text) as Admitted)
        await multi.xack(keys.stream('counted'), 'leaderboard', id).exec()
        ranked.tick()
      },
    },
  ]
  const redis = new Redis(url)
  for (const { name, stream } of stages) await redis.xgroup('CREATE', stream, name, '0', 'MKSTREAM')
  const readers = stages.flatMap((stage) => Array.from({ length: level }, () => ({ stage, redis: new Redis(url) })))
  let stopped = false
  return {
    fill: async () => {
      for (const some of chunks(orders, 1_000)) {
        const pipeline = redis.pipeline()
        for (const { body } of some) pipeline.xadd(keys.stream('raw'), '*', 'order', body)
        await pipeline.exec()
      }
    },
    work: async (begun) => {
      begun()
      for (const [at, reader] of readers.entries())
        loop(reader.redis, reader.stage, `c${at}`, () => stopped).catch(() => {})
      await ranked.done
    },
    close: async () => {
      stopped = true
      for (const client of [redis, ...readers.map((reader) => reader.redis)]) client.disconnect()
    },
  }
}

interface Stage {
  readonly name: string
  readonly stream: string
  handle(redis: Redis, id: string, text: string): Promise<void>
}

async function loop(
  redis: Redis,
  { name, stream, handle }: Stage,
  consumer: string,
  stopped: () => boolean,
): Promise<void> {
  while (!stopped()) {
    const read = await redis.xreadgroup('GROUP', name, consumer, 'COUNT', 100, 'BLOCK', 1_000, 'STREAMS', stream, '>')
    const [, entries] = (read?.[0] ?? ['', []]) as [string, [string, string[]][]]
    for (const [id, fields] of entries) await handle(redis, id, fields[1] ?? '')
  }
}
