import { expect, test } from 'vitest'
import { readConfig } from '../../src/config/config.ts'
import { openQueue } from '../../src/ingest/sqs/queue.ts'
import { sendBatch } from '../../src/ops/local/send-orders.ts'
import { countDeadLetters, exhaust, fillDeadLetters } from '../support/dead-letters.ts'
import { sendEnveloped } from '../support/enveloped.ts'
import { waves } from '../support/expected.ts'
import { Oracle } from '../support/oracle.ts'
import { plainFormat } from '../support/plain-format.ts'
import { runOrders } from '../support/run-orders.ts'
import { expectExact } from '../support/state.ts'
import { until } from '../support/until.ts'
import { type Env, emptyRedis, emptySqs, envOf } from '../support/world.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const system = ['run', 'validate', 'aggregate', 'leaderboard', 'jobs']

async function output(args: readonly string[], env: Env): Promise<{ code: number | null; text: string }> {
  await using command = runOrders(args, env)
  const { code } = await command.exit()
  const text = command.stdout() + command.stderr()
  if (args[0] === 'dlq' && !args.includes('--json'))
    expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  return { code, text }
}

/** Counts by verdict. */
function tally(text: string): Record<string, number> {
  const verdicts = JSON.parse(text).looked_at.map(({ verdict }: { verdict: string }) => verdict) as string[]
  return Object.fromEntries([...Map.groupBy(verdicts, (one) => one)].map(([name, { length }]) => [name, length]))
}

test(`dead letters in every envelope: judged as they will be, then redriven to what an oracle says (seed ${seed})`, async () => {
  await using redis = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(redis.url, sqs)
  await using running = runOrders(system, env)
  await running.started()
  const oracle = new Oracle()
  for (const wave of waves(600, seed)) {
    const before = { ...oracle }
    for (const body of wave) oracle.take(body)
    await fillDeadLetters(env, wave, sendEnveloped)
    const counters = await redis.redis.hgetall('pipeline:counters')
    const looked = await output(['dlq', '--limit', '1000', '--json'], env)
    const { admitted = 0, duplicate = 0, conflict = 0, rejected = 0 } = tally(looked.text)
    const found = { admitted, duplicates: duplicate, rejected: conflict + rejected, received: wave.length }
    const more = (name: keyof typeof found): number => oracle[name] - before[name]
    expect(found).toEqual({
      admitted: more('admitted'),
      duplicates: more('duplicates'),
      rejected: more('rejected'),
      received: more('received'),
    })
    const dry = await output(['dlq', 'redrive', '--dry-run'], env)
    expect(dry.text).toMatch(new RegExp(`^would keep the rules +${admitted}\n(duplicate +${duplicate}\n)?`, 'm'))
    expect(await redis.redis.hgetall('pipeline:counters')).toEqual(counters) // so far nothing has changed
    expect(await countDeadLetters(env)).toBe(wave.length)
    const { code, text } = await output(['dlq', 'redrive', '--wait'], env)
    expect(text).toMatch(new RegExp(`^sent +${wave.length}\nadmitted +${admitted}\nduplicate +${duplicate}\n`, 'm'))
    expect(code).toBe(1) // some were rejected again
    expect(await countDeadLetters(env)).toBe(0)
  }
  await expectExact(redis.redis, oracle)
  const { received, duplicates } = await redis.redis.hgetall('pipeline:counters')
  expect([received, duplicates]).toEqual([`${oracle.received}`, `${oracle.duplicates}`])
})

test('messages that SQS itself gave up are brought back, and the books take them for received', async () => {
  await using redis = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(redis.url, sqs)
  const bodies = Array.from({ length: 25 }, (_, at) =>
    JSON.stringify({ user_id: `user_${at % 3}`, order_id: `${at}`, order_value: at + 0.25 }),
  )
  const oracle = new Oracle()
  for (const body of bodies) oracle.take(body)
  await exhaust(env, bodies)
  expect((await output(['dlq'], env)).text).toMatch(
    /^The dead-letter queue \S+ has 25 messages\. The oldest of 25 was\s+sent .* ago\.\n25 would be accepted, 0 are duplicates, 0 invalid\.\n {2}accepted, such as order \d+ of user_\d message\s+[\w-]+\n/,
  )
  await using running = runOrders([...system, 'bridge'], env)
  await running.started()
  const { code, text } = await output(['dlq', 'redrive', '--wait'], env)
  expect([code, text]).toEqual([0, expect.stringMatching(/^sent +25\nadmitted +25$/m)])
  await expectExact(redis.redis, oracle)
  expect((await output(['verify'], env)).code).toBe(0)
  expect((await output(['dlq'], env)).text).toMatch(/^The dead-letter queue \S+ is empty\.\n$/)
  expect((await output(['dlq', 'redrive'], env)).text).toMatch(/^The dead-letter queue \S+ is empty\.\n$/)
  expect(running.events('redriven')).toMatchObject([{ sent: 25, admitted: 25, cancelled: false }])
})

test("the dead letters of a FIFO queue: a user's come back in the order in which they were sent", async () => {
  await using redis = await emptyRedis()
  await using sqs = await emptySqs('.fifo')
  const env = envOf(redis.url, sqs, { SQS_DELETE_AFTER: 'write' }) // a group waits for its last message's deletion
  const each = 12
  const bodies = Array.from({ length: 4 * each }, (_, at) =>
    JSON.stringify({ user_id: `user_${at % 4}`, order_id: `${Math.floor(at / 4)}`, order_value: at }),
  )
  const oracle = new Oracle()
  for (const body of bodies) oracle.take(body)
  await fillDeadLetters(env, bodies, sendInOrder)
  const looked = await output(['dlq', '--limit', '1000'], env)
  expect(looked.text).toMatch(/ has 48 messages\. .*Of one message group of a FIFO\s+queue only/s)
  expect(await countDeadLetters(env)).toBe(bodies.length)
  await using jobs = runOrders(['run', 'jobs'], env)
  await jobs.started()
  expect((await output(['dlq', 'redrive'], env)).text).toMatch(/^Job redrive-\S+: 48 dead letters to redrive\.\n/)
  await until('all to be written', async () => (await countDeadLetters(env)) === 0)
  const entries = await redis.redis.xrange('orders:raw', '-', '+')
  const written = entries.flatMap(([, fields]) => JSON.parse(fields[fields.indexOf('r') + 1] ?? ''))
  const orders = written.map(({ body }) => JSON.parse(body))
  for (let user = 0; user < 4; user++) {
    const own = orders.filter(({ user_id }) => user_id === `user_${user}`).map(({ order_id }) => Number(order_id))
    expect(own).toEqual(Array.from({ length: each }, (_, at) => at))
  }
  await using stages = runOrders(['run', 'validate', 'aggregate', 'leaderboard'], env)
  await stages.started()
  await expectExact(redis.redis, oracle)
})

/** Sends one batch after the other: a producer that sends several at once has no order to be kept. */
async function sendInOrder(env: Env, bodies: readonly string[]): Promise<void> {
  using queue = await openQueue(readConfig({ ...env }))
  for (let at = 0; at < bodies.length; at += 10) {
    await sendBatch(queue, bodies.slice(at, at + 10), plainFormat, new AbortController().signal)
  }
}
