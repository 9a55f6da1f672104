import { expect, test } from 'vitest'
import type { PartitionScope } from '../../src/app.ts'
import { readAudit } from '../../src/control/audit-log.ts'
import { openQueues } from '../../src/control/job-queues.ts'
import { enqueue } from '../../src/ingest/enqueue.ts'
import { openHoldingProxy } from '../support/holding-proxy.ts'
import { type OrdersProcess, spawnOrders } from '../support/process.ts'
import { fillAsPython } from '../support/python-system.ts'
import { spawnRedisServer } from '../support/redis-server.ts'
import { requireRealRedis, requireRedisServer } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { striking } from '../support/strike.ts'
import { type OnTerminal, openTerminal, requireTerminal } from '../support/terminal.ts'
import { until } from '../support/until.ts'
import { appOn, emptyRedis, emptySqs, envOf } from '../support/world.ts'

/** Writes orders to the stream, as a bridge does. */
function send({ redis, keys }: PartitionScope, count: number): Promise<unknown> {
  const records = Array.from({ length: count }, (_, at) => ({
    id: `m${at}`,
    body: JSON.stringify({ user_id: `user_${at}`, order_id: `${at}`, order_value: 1.25 }),
  }))
  return enqueue(redis, keys, records)
}

/** Interrupts a command and returns what it printed to standard error. */
async function interrupt(command: OrdersProcess, signal: 'SIGINT' | 'SIGTERM' = 'SIGINT'): Promise<string> {
  expect(await command.kill(signal)).toEqual({ code: signal === 'SIGINT' ? 130 : 143, signal: null })
  return command.stderr()
}

test.each([
  [20, '20 orders wait'],
  [1, '1 order waits'],
])('drain says that the bridge stays paused and that of %i orders %s', async (count, waiting) => {
  await using world = await emptyRedis()
  await send(appOn(world.redis), count)
  await using drain = spawnOrders(['drain'], envOf(world.url))
  await until('the pause', () => drain.stdout().includes('bridge'))
  expect(await interrupt(drain)).toBe(
    `Interrupted. The bridge stays paused; ${waiting}: run orders resume bridge to start it again.\n`,
  )
  expect(await world.redis.hkeys('pipeline:pauses')).toEqual(['bridge'])
})

test('drain --json prints no result that a script could take for one', async () => {
  await using world = await emptyRedis()
  await send(appOn(world.redis), 5)
  await using drain = spawnOrders(['drain', '--json'], envOf(world.url))
  await until('the pause', () => world.redis.exists('pipeline:pauses'))
  expect(await interrupt(drain, 'SIGTERM')).toMatch(/^Interrupted\. The bridge stays paused; 5 orders wait/)
  expect(drain.stdout()).toBe('')
})

test('populate says how many orders were sent, and how the rest is sent', async () => {
  await using sqs = await emptySqs()
  const env = envOf('redis://127.0.0.1:1', sqs)
  const order = ['populate', '--valid', '1000', '--invalid', '0', '--seed', '7']
  await using populate = spawnOrders([...order, '--rate', '200'], env)
  await until('a tenth', () => populate.stdout().includes('sent 100 of 1,000'))
  const said = await interrupt(populate)
  expect(said).toMatch(
    /^Interrupted: at least \d+ of 1,000 messages were sent\. The same command with --seed 7 sends the rest\. Of those sent already, accepted ones are duplicates and invalid ones are rejected again\.\n$/,
  )
  const sent = Number(/at least (\d+)/.exec(said)?.[1])
  expect(sent).toBeGreaterThanOrEqual(100)
  expect(sqs.depth()).toBeGreaterThanOrEqual(sent)
  expect(sqs.depth()).toBeLessThan(1_000)
})

test('replay --wait names the job, which goes on', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  await using replay = spawnOrders(['replay', '5', '--wait'], envOf(world.url))
  await until('its job', () => replay.stdout().includes('Job '))
  const said = await interrupt(replay, 'SIGTERM')
  const id = /^Interrupted\. The job goes on\. To stop it: orders jobs cancel (replay-\S+)\n$/.exec(said)?.[1]
  await using queues = openQueues(world.redis)
  expect(await queues.replay.getJobState(String(id))).toBe('waiting')
})

/** Starts a replay on a terminal, whose job no process runs, and types Ctrl-C. */
async function interruptedReplay(url: string): Promise<OnTerminal & { readonly job: string }> {
  const terminal = openTerminal(['replay', '5'], envOf(url))
  await terminal.shows('0 of 0')
  terminal.press('\x03')
  await terminal.shows('Press c to cancel it now, or Enter to leave it running.')
  const [, job = ''] = /To stop it: orders jobs cancel (replay-\S+)/.exec(terminal.screen()) ?? []
  return { ...terminal, job }
}

test.for([
  ['c', [/Job replay-\S+ is removed\.\s+It has sent nothing\.\s+$/, 'unknown']],
  ['\r', [/Press c .*\s+It goes on\.\s+$/, 'waiting']],
  ['\x03', [/Press c .*\s+It goes on\.\s+$/, 'waiting']],
] as const)('replay on a terminal asks whether its job goes on: %j', async ([key, [end, state]], context) => {
  requireRealRedis(context)
  requireTerminal(context)
  await using world = await emptyRedis()
  await using replay = await interruptedReplay(world.url)
  replay.press(key)
  expect(await replay.exitCode()).toBe(130)
  expect(replay.screen()).toMatch(end)
  await using queues = openQueues(world.redis)
  expect(await queues.replay.getJobState(replay.job)).toBe(state)
  const actions = (await readAudit(world.redis, appOn(world.redis).control, { limit: 9 })).map(({ action }) => action)
  expect(actions).toEqual(key === 'c' ? ['cancel', 'replay'] : ['replay'])
})

test('the last line of a command interrupted on a terminal stands on a line of its own', async (context) => {
  requireTerminal(context)
  await using world = await emptyRedis()
  await send(appOn(world.redis), 20)
  await using drain = openTerminal(['drain'], envOf(world.url))
  await drain.shows('processed 0 of 20')
  drain.press('\x03')
  expect(await drain.exitCode()).toBe(130)
  const [last, progress] = drain.screen().trimEnd().split('\r\n').reverse()
  expect(last).toBe('Interrupted. The bridge stays paused; 20 orders wait: run orders resume bridge to start it again.')
  expect(progress).toContain('processed 0 of 20')
})

test('verify --deep says that the check has not ended', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  await using proxy = await openHoldingProxy(server.port)
  proxy.hold('scan')
  await using verify = spawnOrders(['verify', '--deep'], envOf(`redis://127.0.0.1:${proxy.port}`))
  await until('the check', () => proxy.held() > 0)
  expect(await interrupt(verify)).toBe(
    'Interrupted. Nothing was changed, and the check has not ended: run orders verify again.\n',
  )
})

test('repartition says whether it has moved anything, and a second run ends what it began', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  const env = envOf(server.url)
  {
    await using line = runOrders(['run', 'validate', 'aggregate', 'leaderboard'], env)
    await line.started()
  }
  const words = ['repartition', '--to', '2']
  const at = (nth: number) => striking({ trigger: { event: 'repartitionStep', nth }, pid: 0, signal: 'SIGINT' })
  await using early = spawnOrders(words, { ...env, ...at(3) })
  expect([await early.exit(), early.stderr()]).toEqual([
    { code: 130, signal: null },
    'Interrupted. Nothing was moved, and everything runs as before.\n',
  ])
  let said = ''
  for (let nth = 8; !said.includes('stays paused'); nth++) {
    await using late = spawnOrders(words, { ...env, ...at(nth) })
    expect(await late.exit()).toEqual({ code: 130, signal: null })
    said = late.stderr()
  }
  expect(said).toBe(
    'Interrupted. Orders were moved, and all stays paused until the move has ended: run orders repartition --to 2 again to continue.\n',
  )
  await using again = runOrders(words, env)
  expect([await again.exit(), again.stderr()]).toEqual([{ code: 0, signal: null }, ''])
})

test('adopt says that the conversion is not finished, and a second run ends it', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  const env = envOf(server.url)
  await fillAsPython(server.url, { orders: 300, users: 100, seed: 1 })
  let said = ''
  for (let nth = 1; !said.includes('not finished'); nth++) {
    const strike = striking({ trigger: { event: 'adoptionStep', nth }, pid: 0, signal: 'SIGINT' })
    await using adopt = spawnOrders(['adopt', '--yes'], { ...env, ...strike })
    expect(await adopt.exit()).toEqual({ code: 130, signal: null })
    said = adopt.stderr()
    expect(said).toMatch(/^Interrupted\. (No adoption is under way\.|The conversion)/)
  }
  expect(said).toBe(
    'Interrupted. The conversion is not finished, and no process of orders starts until it is: run orders adopt --yes again to continue.\n',
  )
  await using again = runOrders(['adopt', '--yes'], env)
  expect([await again.exit(), again.stderr()]).toEqual([{ code: 0, signal: null }, ''])
})
