import type { Message } from '@aws-sdk/client-sqs'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { writeMessages } from '../../../src/ingest/write-messages.ts'
import { openTelemetry } from '../../../src/telemetry.ts'
import { received } from '../../support/received.ts'
import { appOn, emptyRedis } from '../../support/world.ts'

const sentAt = (SentTimestamp?: string): Message => ({
  Body: '{}',
  ...(SentTimestamp !== undefined && { Attributes: { SentTimestamp } }),
})

test('messages wait since the first of them was sent; without the time of one it is not known', async () => {
  await using world = await emptyRedis()
  const telemetry = openTelemetry(pino({ level: 'silent' }))
  const waits: (readonly number[])[] = []
  telemetry.on('hop', ({ sinceSent }) => void waits.push(sinceSent))
  const app = appOn(world.redis, undefined, { telemetry })
  const now = Date.now()
  const write = async (...messages: Message[]) => writeMessages(app, app.keys, await received(messages))
  await write(sentAt(`${now - 5_000}`), sentAt(`${now - 60_000}`))
  await write(sentAt(`${now - 5_000}`), sentAt())
  await write(sentAt(`${now - 5_000}`), sentAt('soon'))
  expect(waits).toHaveLength(1)
  expect(waits[0]?.[0]).toBeGreaterThanOrEqual(59_000)
  const entries = await world.redis.xrange('orders:raw', '-', '+')
  expect(entries.map(([, fields]) => fields.includes('t'))).toEqual([true, false, false])
})
