import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { deadLettersOf } from '../../../../src/ingest/sqs/create.ts'
import { deadLetterQueue } from '../../../../src/ingest/sqs/dead-letters.ts'
import { openQueue } from '../../../../src/ingest/sqs/queue.ts'
import { sendBatch } from '../../../../src/ops/local/send-orders.ts'
import { plainFormat } from '../../../support/plain-format.ts'
import { openSqsProxy } from '../../../support/sqs-proxy.ts'
import { emptySqs } from '../../../support/world.ts'

test('the name of a dead-letter queue ends as that of its queue', () => {
  expect(deadLettersOf('orders')).toBe('orders-dlq')
  expect(deadLettersOf('orders.fifo')).toBe('orders-dlq.fifo')
})

test.each(['sdk', 'thin'])('a FIFO queue is created with a FIFO dead-letter queue (%s)', async (SQS_TRANSPORT) => {
  await using sqs = await emptySqs('.fifo')
  const config = readConfig({ AWS_ENDPOINT_URL: sqs.url, SQS_QUEUE_NAME: sqs.queueName, SQS_TRANSPORT })
  using queue = await openQueue(config)
  using again = await openQueue(config)
  expect(again.url).toBe(queue.url)
  const deadLetters = await deadLetterQueue(queue.sqs, { name: sqs.queueName, url: queue.url })
  expect(deadLetters).toMatchObject({ status: 'found', name: deadLettersOf(sqs.queueName), maxReceiveCount: 5 })
  const urls = [queue.url, ...(deadLetters.status === 'found' ? [deadLetters.url] : [])]
  for (const QueueUrl of urls) {
    const asked = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] })
    expect((await queue.sqs.send(asked)).Attributes).toMatchObject({
      FifoQueue: 'true',
      ContentBasedDeduplication: 'false',
      DeduplicationScope: 'messageGroup',
      FifoThroughputLimit: 'perMessageGroupId',
    })
  }
})

test('what is sent to a FIFO queue is grouped by user, and an order sent twice arrives twice', async () => {
  await using sqs = await emptySqs('.fifo')
  await using proxy = await openSqsProxy(sqs.url)
  using queue = await openQueue(readConfig({ AWS_ENDPOINT_URL: proxy.url, SQS_QUEUE_NAME: sqs.queueName }))
  const users = ['user_7', 'x'.repeat(129), 'with space', '名', 12]
  const bodies = users.map((user_id) => JSON.stringify({ user_id, order_id: 'o', order_value: 1 }))
  const sent = [bodies[0] ?? '', ...bodies, 'no JSON', '{}']
  await sendBatch(queue, sent, plainFormat, new AbortController().signal)
  const entries = proxy.calls.at(-1)?.input['Entries'] as Record<string, string>[]
  const groups = entries.map(({ MessageGroupId }) => MessageGroupId)
  const hashed = expect.stringMatching(/^[0-9a-f]{64}$/)
  expect(groups).toEqual(['user_7', 'user_7', hashed, hashed, hashed, '12', hashed, hashed])
  expect(new Set(groups).size).toBe(7)
  expect(new Set(entries.map((entry) => entry['MessageDeduplicationId'])).size).toBe(8)
  expect(sqs.depth()).toBe(8)
})
