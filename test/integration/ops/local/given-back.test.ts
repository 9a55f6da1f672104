import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Message, ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import { expect, onTestFinished, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { giveBack } from '../../../../src/ingest/dead-letters/look.ts'
import { openQueue, type Queue } from '../../../../src/ingest/sqs/queue.ts'
import { openLocal } from '../../../../src/ops/local/emulators.ts'
import { sendBodies } from '../../../support/send.ts'

async function receive({ sqs, url }: Queue): Promise<Message[]> {
  const asked = { QueueUrl: url, MessageSystemAttributeNames: ['ApproximateReceiveCount' as const] }
  return (await sqs.send(new ReceiveMessageCommand(asked))).Messages ?? []
}

test.for(['orders', 'orders.fifo'])('a message of the local %s that is given back comes again', async (name) => {
  const folder = mkdtempSync(join(tmpdir(), 'orders-test-given-back-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const env = { REDIS_URL: 'redis://127.0.0.1:1', SQS_QUEUE_NAME: name }
  const counts: unknown[] = []
  const start = async (bodies: readonly string[]): Promise<void> => {
    await using local = await openLocal(readConfig(env), folder, () => {})
    await sendBodies({ ...env, AWS_ENDPOINT_URL: local.config.awsEndpointUrl ?? '' }, bodies)
    using queue = await openQueue(local.config)
    for (let time = 0; time < 2; time += 1) {
      const messages = await receive(queue)
      counts.push(...messages.map(({ Attributes }) => Attributes?.ApproximateReceiveCount))
      await giveBack(queue, messages)
    }
  }
  await start(['{}'])
  expect(counts).toEqual(['1', '2'])
  await start([]) // its data is kept, and so is the count
  expect(counts).toEqual(['1', '2', '3', '4'])
})
