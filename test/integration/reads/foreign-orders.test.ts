import { expect, test } from 'vitest'
import type { PartitionScope } from '../../../src/app.ts'
import { enqueue } from '../../../src/ingest/enqueue.ts'
import { statusLines } from '../../../src/ops/commands/inspect/status.ts'
import { type Output, textOf } from '../../../src/ops/terminal/output.ts'
import { verificationLines } from '../../../src/ops/terminal/verification-text.ts'
import { verify } from '../../../src/ops/verify/verification.ts'
import { readBooks } from '../../../src/reads/books.ts'
import { readStatus } from '../../../src/reads/status.ts'
import { ensureGroups } from '../../../src/stages/runner/groups.ts'
import { runStage } from '../../../src/stages/runner/run.ts'
import { shipped as pipeline } from '../../support/stages.ts'
import { until } from '../../support/until.ts'
import { appOn, emptyRedis } from '../../support/world.ts'

/** Lets the stages work until each of these counters is there. */
async function processAll(scope: PartitionScope, wanted: Readonly<Record<string, number>>): Promise<void> {
  const stop = new AbortController()
  const running = pipeline.stages.map((stage) => runStage(scope, stage, () => {}, stop.signal))
  await until(
    `the counters ${JSON.stringify(wanted)}`,
    () => scope.redis.hgetall('pipeline:counters'),
    (found) => Object.entries(wanted).every(([name, count]) => Number(found[name]) === count),
  )
  stop.abort()
  await Promise.all(running)
}

const valid = (id: number) => ({ user_id: `u${id}`, order_id: `${id}`, minor: 150 })

const linesOf = (output: Output): string[] => textOf(output).trimEnd().split('\n')

test('orders that another process puts on a later stream are counted as foreign, and the books balance throughout', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis)
  await ensureGroups(app)
  const records = Array.from({ length: 10 }, (_, id) => {
    return { id: `m${id}`, body: JSON.stringify({ user_id: `u${id}`, order_id: `a${id}`, order_value: 1.5 }) }
  })
  await enqueue(redis, app.keys, records)
  await redis.xadd('orders:valid', '*', 'n', '3', 'r', JSON.stringify([valid(1), valid(2), valid(3)]))
  await redis.xadd('orders:valid', '*', 'r', 'junk')
  await redis.xadd('orders:valid', '*', 'n', '7', 'r', JSON.stringify([valid(4)])) // it says more than it holds
  await redis.xadd('orders:counted', '*', 'n', '2', 'r', 'junk')
  await redis.xadd(
    'orders:raw',
    '*',
    'n',
    '2',
    'r',
    JSON.stringify([
      { id: 'x', body: '[]' },
      { id: 'y', body: '' },
    ]),
  )
  const balanced = { balanced: true, losses: [], differences: [] }
  expect(await readBooks(app)).toMatchObject({ ...balanced, notes: [], received: 10 })
  await processAll(app, { ranked: 14, rejected: 2, 'aggregate:rejected': 1, 'leaderboard:rejected': 2 })

  const notes = [
    'Stage aggregate: 5 foreign orders that no stage of ours wrote.',
    'Stage leaderboard: 2 foreign orders that no stage of ours wrote.',
  ]
  const books = await readBooks(app)
  expect(books).toMatchObject({ ...balanced, notes, received: 12, admitted: 10, rejected: 2, applied: 14 })
  expect(books.stages).toMatchObject([
    { in: 12, passed: 10, foreign: 0, waiting: 0, measured: 0 },
    { in: 15, passed: 14, rejected: 1, foreign: 5, waiting: 0, measured: 0 },
    { in: 16, passed: 14, rejected: 2, foreign: 2, waiting: 0, measured: 0 },
  ])
  const found = await verify(app, { deep: true, repair: false, force: false }, new AbortController().signal)
  expect(found.verdict).toBe('right')
  expect(linesOf(verificationLines(found, app)).slice(-3)).toEqual([...notes, 'Everything balances.'])
  expect(linesOf(statusLines(await readStatus(redis, app), app.format.money)).slice(-2)).toEqual(notes)
})

test('every entry that a stage writes is known as ours', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis)
  await ensureGroups(app)
  const body = JSON.stringify({ user_id: 'u', order_id: '1', order_value: 1.5 })
  await redis.xgroup('CREATE', 'orders:raw', 'onlooker', '0')
  for (const stream of ['orders:valid', 'orders:counted']) await redis.xgroup('CREATE', stream, 'onlooker', '0')
  await enqueue(redis, app.keys, [{ id: 'm', body }])
  await processAll(app, { ranked: 1 })
  for (const stream of app.pipeline.channels.map(({ name }) => app.keys.stream(name))) {
    const [[, fields = []] = []] = await redis.xrange(stream, '-', '+')
    expect(fields.slice(fields.indexOf('c'), fields.indexOf('c') + 2)).toEqual(['c', '1'])
  }
})
