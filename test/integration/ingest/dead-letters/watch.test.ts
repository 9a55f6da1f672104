import { expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { readDeadLetters } from '../../../../src/control/dead-letters.ts'
import { deadLetterLoop } from '../../../../src/ingest/dead-letters/watch.ts'
import { deadLetterLines } from '../../../../src/ops/terminal/notes.ts'
import { textOf } from '../../../../src/ops/terminal/output.ts'
import { readStatus } from '../../../../src/reads/status.ts'
import { fillDeadLetters } from '../../../support/dead-letters.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis, emptySqs, envOf } from '../../../support/world.ts'

test('a bridge counts the dead letters for those who may not ask SQS, and keeps since when there are some', async () => {
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(world.url, sqs)
  const app = appOn(world.redis, readConfig({ ...env }))
  expect((await readStatus(app.redis, app)).deadLetters).toBeNull()
  await fillDeadLetters(env, ['{}', '{}'])
  const since = '2026-11-01T00:00:00.000Z'
  const old = { messages: 1, since, at: since }
  await world.redis.set('pipeline:dead-letters', JSON.stringify(old))
  const count = async (): Promise<void> => {
    const stop = new AbortController()
    const running = deadLetterLoop(app).run(() => {}, stop.signal)
    await until(
      'a count',
      () => readDeadLetters(app.redis, app.control),
      (found) => found?.messages !== 1,
    )
    stop.abort()
    await running.catch(() => {})
  }
  await count()
  const { deadLetters } = await readStatus(app.redis, app)
  expect(deadLetters).toMatchObject({ messages: 2, since })
  expect(textOf(deadLetterLines(deadLetters, new Date('2026-11-03T00:00:00.000Z')))).toBe(
    '2 messages are in the dead-letter queue, some since 2026-11-01T00:00:00.000Z, 2 d ago. To look at them: orders dlq\n',
  )
  expect(await world.redis.ttl('pipeline:dead-letters')).toBeGreaterThan(0)
  expect(deadLetterLines({ messages: 0, since: null, at: since }, new Date())).toEqual([])
})
