import { expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { openQueue } from '../../../../src/ingest/sqs/queue.ts'
import { batchesOf, rateAt, trickle } from '../../../../src/ops/local/trickle.ts'
import { checkOrder } from '../../../support/order-bodies.ts'
import { plainFormat } from '../../../support/plain-format.ts'
import { until } from '../../../support/until.ts'
import { emptySqs, envOf } from '../../../support/world.ts'

const options = { seed: 7, until: new Date('2026-11-28T00:00:00Z') }

test('the rate stays between 30 and 60 orders a second, and reaches both', () => {
  const rates = Array.from({ length: 120 }, (_, second) => rateAt(second * 1_000))
  expect([Math.round(Math.min(...rates)), Math.round(Math.max(...rates))]).toEqual([30, 60])
})

test('of 1,000 orders some are invalid and a few are sent twice', () => {
  const bodies = [...batchesOf(options).take(100)].flat()
  expect(bodies).toHaveLength(1_000)
  const invalid = bodies.filter((body) => 'code' in checkOrder(body, plainFormat))
  expect(invalid.length).toBeGreaterThan(30)
  expect(invalid.length).toBeLessThan(50)
  const repeated = bodies.length - new Set(bodies).size
  expect(repeated).toBeGreaterThan(15)
  expect(repeated).toBeLessThan(25)
})

test('orders are sent up to a limit, where there is one', async () => {
  await using sqs = await emptySqs()
  using queue = await openQueue(readConfig({ ...envOf('redis://127.0.0.1:1', sqs) }))
  await trickle(queue, { ...options, format: plainFormat, share: 10, max: 30 }, new AbortController().signal)
  expect(sqs.depth()).toBe(30)
})

test('orders are sent until the signal aborts', async () => {
  await using sqs = await emptySqs()
  using queue = await openQueue(readConfig({ ...envOf('redis://127.0.0.1:1', sqs) }))
  const stop = new AbortController()
  const sending = trickle(queue, { ...options, format: plainFormat }, stop.signal)
  await until('two batches', () => sqs.depth() >= 20)
  stop.abort('SIGINT')
  await expect(sending).rejects.toMatchObject({ name: 'AbortError' })
})
