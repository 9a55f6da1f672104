import { expect, test } from 'vitest'
import { eventTable } from '../../src/events/table.ts'
import { corrected, ended, send } from '../support/jobs.ts'
import { runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { shipped } from '../support/stages.ts'
import { until } from '../support/until.ts'
import { type Env, emptyRedis, emptySqs, envOf } from '../support/world.ts'

const user = 'mrs-secret'
const order = { ...corrected, user_id: user, order_value: 7_713.37, items: [], shipping_address: '9 Hidden Road' }
const bodyOf = (order_id: string, more: object = {}): string =>
  JSON.stringify({ ...order, order_id, items: undefined, ...more })

/** Texts that only an order can bring into a log: a user, amounts in both forms, an address. */
const contents = [user, '7713.37', '771337', 'Hidden', 'PayPal', '8814.48', '881448']

/** Sends orders that are admitted, repeated, in conflict and rejected, and acts on them as operators do. */
async function everythingHappens(env: Env, url: string): Promise<void> {
  const wrong = [bodyOf('4', { user_id: undefined }), bodyOf('5', { items: 'Hidden' }), `${user} is no JSON`]
  await sendBodies(env, [bodyOf('1'), bodyOf('2'), ...wrong])
  const invalid = async (): Promise<{ id: string }[]> =>
    (await send(`${url}/orders/invalid?limit=100`, 'GET', undefined)).body as never
  await until('three to be rejected', invalid, (all) => all.length === 3)
  await sendBodies(env, [bodyOf('1'), bodyOf('2', { order_value: 8_814.48 })])
  const [conflict, json] = (await until('a conflict', invalid, (all) => all.length === 4)) as [
    { id: string },
    { id: string },
  ]
  const { body: sent } = await send(`${url}/orders/reprocess`, 'POST', { ...order, order_id: '7' })
  await ended(url, sent['job_id'])
  const { body: cancelled } = await send(`${url}/orders/${user}/1/cancel`, 'POST', { reason: 'returned' })
  await ended(url, cancelled['job_id'])
  const refund = await send(`${url}/orders/${user}/2/refund`, 'POST', { reason: 'half of it', amount: 7_713.37 })
  await ended(url, refund.body['job_id'])
  const edited = await send(`${url}/orders/invalid/${json.id}`, 'PUT', { ...order, order_id: '9' })
  expect([refund.status, edited.status]).toEqual([202, 202])
  await send(`${url}/orders/invalid/${conflict.id}`, 'DELETE', { reason: 'sent twice' })
  const { body: replayed } = await send(`${url}/orders/replay`, 'POST', {})
  await ended(url, replayed['job_id'])
}

test('at level info no line has what an order holds, and each line is an event of the reference', async () => {
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(world.url, sqs, { LOG_LEVEL: 'info' })
  await using line = runOrders(['run', 'bridge', ...shipped.names, 'jobs', 'api'], env)
  await line.started()
  await everythingHappens(env, await line.apiUrl())
  await line.stop()
  const lines = line.stderr().trim().split('\n')
  const events = lines.map((text) => (JSON.parse(text) as { msg: string }).msg)
  expect(new Set(events)).toEqual(new Set(events.filter((event) => event in eventTable)))
  expect(events).toEqual(expect.arrayContaining(['started', 'audited', 'jobDone', 'replayed', 'stopped']))
  for (const text of lines) for (const content of contents) expect(text).not.toContain(content)
})
