import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { TcpProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'
import type { Random } from './random.ts'
import type { Worker } from './worker.ts'
import type { World } from './world.ts'

/** Something goes wrong, and is over when this resolves. */
export type Strike = (world: World, random: Random) => Promise<void>

type Line = (world: World) => TcpProxy

export const redisLine: Line = ({ toRedis }) => toRedis
export const sqsLine: Line = ({ toSqs }) => toSqs

export const killOne =
  (role: string): Strike =>
  (world, random) =>
    world.kill(oneOf(world, role, random))

export const killServer =
  (server: 'redis' | 'sqs'): Strike =>
  (world) =>
    world.kill(server)

export const cut =
  (line: Line): Strike =>
  async (world) =>
    line(world).cut()

export const slow =
  (line: Line, forMs: number): Strike =>
  async (world, random) => {
    line(world).delay(50 + random.below(150))
    await sleep(forMs)
    line(world).delay(0)
  }

/** Connections hang for a while, then everything arrives. */
export const freeze =
  (line: Line, forMs: number): Strike =>
  async (world) => {
    line(world).freeze()
    await sleep(forMs)
    line(world).thaw()
  }

/** SQS cannot be reached until it takes messages that are in flight for lost, and gives them out again. */
export const expire =
  (forMs: number): Strike =>
  async ({ toSqs, inFlight, receive }) => {
    await until('messages to be held that cannot be deleted or kept', async () => {
      await until('messages to be received', inFlight, (messages) => messages > 0)
      toSqs.freeze()
      await inFlight() // what passed just before is processed when this is answered
      const held = (await inFlight()) > 0
      if (!held) toSqs.thaw()
      return held
    })
    await sleep(forMs)
    // The emulator takes them for lost when a consumer receives. Were that after the thaw, deletions that waited could come first.
    await receive(10)
    toSqs.thaw()
  }

/** Connections hang for good: they are not closed, and no byte passes. New ones work. */
export const abandon =
  (line: Line): Strike =>
  async (world) =>
    line(world).abandon()

export const flushScripts: Strike = async ({ redis }) => void (await redis.script('FLUSH'))

const streams = {
  validate: 'orders:raw',
  calendar: 'orders:valid',
  archive: 'orders:valid',
  aggregate: 'orders:valid',
  leaderboard: 'orders:counted',
} as const

/** Does to a consumer group as an operator can; `$` makes it skip waiting entries. */
export const touchGroup =
  (stage: keyof typeof streams, how: 'destroy' | '0' | '$'): Strike =>
  async ({ redis }) => {
    const stream = streams[stage]
    if (how === 'destroy') await redis.xgroup('DESTROY', stream, stage)
    // Destroyed a moment ago, it is there again when its stage has noticed.
    else await redis.xgroup('SETID', stream, stage, how).catch(unlessNoGroup)
  }

function unlessNoGroup(error: unknown): void {
  if (!(error instanceof Error && /NOGROUP|requires the key/.test(error.message))) throw error
}

export const stop =
  (role: string, forMs: number): Strike =>
  async (world, random) => {
    const { child } = oneOf(world, role, random).process
    child.kill('SIGSTOP')
    await sleep(forMs)
    child.kill('SIGCONT')
  }

/** Redis refuses writes that need memory for a while. */
export const fillMemory =
  (forMs: number): Strike =>
  ({ redis }) =>
    whileFull(redis, () => sleep(forMs))

/** All processes are killed, and must be up again while Redis is full: without them it would stay so. */
export const restartOnFull: Strike = (world) =>
  whileFull(world.redis, async () => {
    await Promise.all(world.workers.map((worker) => world.kill(worker)))
    const up = (): boolean => world.workers.every(({ process }) => process.events('started').length > 0)
    await until('all processes to be up on a full Redis', up)
  })

async function whileFull(redis: Redis, run: () => Promise<void>): Promise<void> {
  const used = Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1])
  await redis.config('SET', 'maxmemory', String(Math.round(used / 2)))
  try {
    await run()
  } finally {
    await redis.config('SET', 'maxmemory', '0')
  }
}

/** Redis answers and refuses every write; meanwhile processes are killed, and start again. */
export const refuseWrites =
  (forMs: number): Strike =>
  async (world, random) => {
    await world.redis.config('SET', 'min-replicas-to-write', '1')
    const until = performance.now() + forMs
    while (performance.now() < until) {
      await sleep(Math.min(2_000, forMs / 2))
      await world.kill(random.pick(world.workers))
    }
    await world.redis.config('SET', 'min-replicas-to-write', '0')
  }

/** Another consumer receives messages and does not delete them: they come again when their visibility timeout is over. */
export const receiveAndForget: Strike = ({ receive }) => receive(50)

/**
 * A stage stands still while it holds entries, until others have claimed and committed them; then it goes on with what it
 * holds, and must find that it is stale.
 */
export const zombie =
  (stage: keyof typeof streams, stream: string): Strike =>
  async (world, random) => {
    const victim = oneOf(world, stage, random).process
    const reported = (): number => victim.events('stale').filter((event) => event['stage'] === stage).length
    const before = reported()
    const holders = async (): Promise<string[]> => {
      const [, , , consumers] = await world.redis.xpending(stream, stage)
      return ((consumers ?? []) as [string, string][]).map(([name]) => name)
    }
    const holds = (names: string[]): boolean => names.some((name) => name.includes(`-${victim.child.pid}-`))
    world.toRedis.delay(replyMs)
    await until(`${stage} to stand still with entries in flight`, async () => {
      await until(`${stage} to read`, holders, holds)
      victim.child.kill('SIGSTOP')
      for (let pause = 0; pause < 3; pause++) await sleep(replyMs) // what it has sent arrives
      await holders() // what arrived before is processed when this is answered
      const caught = holds(await holders())
      if (!caught) victim.child.kill('SIGCONT')
      return caught
    })
    world.toRedis.delay(0)
    await until('others to have committed what it holds', holders, (names) => names.length === 0)
    victim.child.kill('SIGCONT')
    await until(`the ${stage} that was stopped to report it`, reported, (count) => count > before)
  }

/** Delays a reply with entries this long: time to stop its reader before it commits. */
const replyMs = 50

function oneOf({ workers }: World, role: string, random: Random): Worker {
  return random.pick(workers.filter(({ roles }) => roles.includes(role)))
}
