import { SetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { expect, test } from 'vitest'
import { readConfig } from '../../src/config/config.ts'
import { openQueue } from '../../src/ingest/sqs/queue.ts'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { countDeadLetters, fillDeadLetters } from '../support/dead-letters.ts'
import { ended, type JobView, send } from '../support/jobs.ts'
import { Oracle } from '../support/oracle.ts'
import { type OrdersRun, runOrders } from '../support/run-orders.ts'
import { expectExact } from '../support/state.ts'
import { until } from '../support/until.ts'
import { type Env, emptyRedis, emptySqs, envOf } from '../support/world.ts'

const valid = (count: number): string[] =>
  [...sampleOrders({ valid: count, invalid: 0, users: 5, seed: 7 })].map(({ body }) => body)

/** A system with an API, and dead letters. */
async function openWorld(bodies: readonly string[], more: Env = {}) {
  const stack = new AsyncDisposableStack()
  const { redis, url } = stack.use(await emptyRedis())
  const env = envOf(url, stack.use(await emptySqs()), more)
  await fillDeadLetters(env, bodies)
  const roles = ['run', 'validate', 'aggregate', 'leaderboard', 'jobs', 'api']
  const running: OrdersRun = stack.use(runOrders(roles, { ...env, LOG_LEVEL: 'debug' }))
  await running.started()
  const api = await running.apiUrl()
  const oracle = new Oracle()
  for (const body of bodies) oracle.take(body)
  const post = (body: object, headers?: Record<string, string>) => send(`${api}/dlq/redrive`, 'POST', body, headers)
  return { redis, env, api, post, running, oracle, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

async function output(args: readonly string[], env: Env): Promise<{ code: number | null; text: string }> {
  await using command = runOrders(args, env)
  const { code } = await command.exit()
  return { code, text: command.stdout() + command.stderr() }
}

test('POST /dlq/redrive needs a token, does the same once for one Idempotency-Key, and is in the audit log', async () => {
  await using world = await openWorld([...valid(12), '{}'])
  const { api, post, env, oracle, redis } = world
  const bare = await fetch(`${api}/dlq/redrive`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  expect(bare.status).toBe(401)
  expect((await post({}, { authorization: 'Bearer wrong-token-of-16-letters' })).status).toBe(401)
  expect((await post({}, { origin: 'https://elsewhere.example' })).status).toBe(403)
  expect((await post({ rate: 0 })).status).toBe(422)
  expect((await post({ code: 'bad-value' })).status).toBe(422)
  const dry = await post({ dryRun: true })
  expect(dry).toMatchObject({ status: 202, body: { message: 'Dry run accepted.' } })
  const rehearsed = await ended(api, dry.body['job_id'])
  expect(rehearsed).toMatchObject({ state: 'completed', progress: { done: 13, total: 13 } })
  expect(rehearsed.result).toMatchObject({ dry_run: true, sent: 0, admitted: 12, rejected: { 'missing-field': 1 } })

  const key = { 'Idempotency-Key': 'once', 'X-Operator': 'ann' }
  const first = await post({ limit: 20 }, key)
  expect(first).toMatchObject({ status: 202, body: { status: 'accepted', message: 'Redrive accepted.' } })
  const job = await ended(api, first.body['job_id'])
  expect(job).toMatchObject({ state: 'completed', progress: { done: 13, total: 13 } })
  expect(job.result).toMatchObject({ dry_run: false, sent: 13, admitted: 12, rejected: { 'missing-field': 1 } })
  expect(await post({ limit: 20 }, key)).toMatchObject({ status: 202, body: { job_id: first.body['job_id'] } })
  expect(await post({ limit: 21 }, key)).toMatchObject({ status: 409 })
  await expectExact(redis, oracle)
  const audit = await output(['audit', '--json', '--limit', '1'], env)
  expect(JSON.parse(audit.text)).toMatchObject({ action: 'redrive', by: 'ann', outcome: '202' })
  const board = await (await fetch(`${api}/admin/queues/api/queues`, { headers: writingHeaders })).json()
  expect((board as { queues: { name: string }[] }).queues.map(({ name }) => name)).toContain('redrive')
})

const writingHeaders = { authorization: 'Bearer a-token-of-the-tests' }

test('a redrive takes no more than its limit, and two at once share what is there', async () => {
  await using world = await openWorld(valid(330))
  const { api, post, env, oracle, redis } = world
  const { body } = await post({ limit: 130 })
  expect(await ended(api, body['job_id'])).toMatchObject({ result: { sent: 130, admitted: 130, cancelled: false } })
  expect(await countDeadLetters(env)).toBe(200)
  const both = await Promise.all([post({}), post({})])
  const jobs = await Promise.all(both.map(({ body }) => ended(api, body['job_id'])))
  expect(jobs.map(({ state }) => state)).toEqual(['completed', 'completed'])
  const sent = jobs.map(({ result }) => Number(result?.['sent']))
  expect((sent[0] ?? 0) + (sent[1] ?? 0)).toBe(200)
  expect(await countDeadLetters(env)).toBe(0)
  await expectExact(redis, oracle)
  expect(Number(await redis.hget('pipeline:counters', 'received'))).toBe(330)
})

test('a rate spreads the messages, and a cancelled redrive leaves the rest where it was', async () => {
  await using world = await openWorld(valid(200))
  const { api, post, env, running } = world
  const { body } = await post({ rate: 40 })
  const id = String(body['job_id'])
  const requeued = () => running.events('requeued').filter(({ job }) => job === id)
  await until(
    'four writes',
    () => requeued(),
    ({ length }) => length >= 4,
  )
  const cancelled = await send(`${api}/jobs/${id}`, 'DELETE', {})
  expect(cancelled).toMatchObject({ status: 200, body: { status: 'stopping' } })
  const job: JobView = await ended(api, id)
  const sent = Number(job.result?.['sent'])
  expect(job).toMatchObject({ state: 'completed', result: { cancelled: true, admitted: sent } })
  expect(sent).toBeLessThan(200)
  expect(requeued().map(({ orders }) => orders)).toEqual(Array.from({ length: sent / 10 }, () => 10))
  // Ten are due each quarter of a second; a write that came late may be followed by one at once.
  const times = requeued().map(({ time }) => Number(time) - Number(requeued()[0]?.['time']))
  for (const [at, ms] of times.entries()) expect(ms).toBeGreaterThanOrEqual((at - 1) * 250 - 50)
  expect(await countDeadLetters(env)).toBe(200 - sent)
  expect((await output(['jobs', 'show', id], env)).text).toContain(
    'the orders that it had not sent stay where they were',
  )
})

test('while the bridge is paused a redrive waits, and then goes on', async () => {
  await using world = await openWorld(valid(15))
  const { api, post, env, oracle, redis } = world
  expect((await output(['pause', 'bridge'], env)).code).toBe(0)
  const { body } = await post({})
  const warning = expect.stringMatching(
    /^The bridge is paused by \S+: the redrive waits until it runs again \(orders resume bridge\)\.$/,
  )
  expect(body).toMatchObject({ warning })
  expect((await post({ dryRun: true })).body).not.toHaveProperty('warning') // it does not wait
  expect((await output(['dlq', 'redrive', '--limit', '1'], env)).text.replaceAll(/\s+/g, ' ')).toContain(
    'the redrive waits until it runs again (orders resume bridge).',
  )
  const state = async (): Promise<JobView> => (await (await fetch(`${api}/jobs/${body['job_id']}`)).json()) as JobView
  await until('it to be put off', state, (job) => job.state === 'delayed')
  expect(await countDeadLetters(env)).toBe(15)
  expect((await output(['resume', 'bridge'], env)).code).toBe(0)
  expect(await ended(api, body['job_id'])).toMatchObject({ state: 'completed', result: { sent: 15, admitted: 15 } })
  await expectExact(redis, oracle)
})

test('without a dead-letter queue, or without SQS, commands and jobs say so in a sentence', async () => {
  await using world = await openWorld(valid(1))
  const { api, post, env } = world
  using queue = await openQueue(readConfig({ ...env }))
  await queue.sqs.send(new SetQueueAttributesCommand({ QueueUrl: queue.url, Attributes: { RedrivePolicy: '' } }))
  const text = expect.stringMatching(
    /^The queue \S+ has no dead-letter queue: give it a redrive policy that names one\./,
  )
  expect(await output(['dlq'], env)).toEqual({ code: 1, text })
  expect(await output(['dlq', 'redrive'], env)).toEqual({ code: 1, text })
  const { body } = await post({})
  expect(await ended(api, body['job_id'])).toMatchObject({ state: 'failed', failure: text })
  const away = await output(['dlq'], { ...env, AWS_ENDPOINT_URL: 'http://127.0.0.1:1' })
  expect(away).toEqual({ code: 3, text: expect.stringMatching(/^SQS cannot open the dead-letter queue of /) })
  const wrong = await output(['dlq', 'redrive', '--rate', '0/s'], env)
  expect(wrong).toEqual({ code: 2, text: expect.stringMatching(/--rate is "0\/s", expected a rate from 1\/s/) })
  expect((await output(['dlq', 'show'], env)).code).toBe(2)
})
