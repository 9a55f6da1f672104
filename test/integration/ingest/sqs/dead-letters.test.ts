import { CreateQueueCommand, SetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { deadLetterQueue } from '../../../../src/ingest/sqs/dead-letters.ts'
import { openQueue } from '../../../../src/ingest/sqs/queue.ts'
import { openSqsProxy } from '../../../support/sqs-proxy.ts'
import { emptySqs } from '../../../support/world.ts'

test('the dead-letter queue is found by the redrive policy, with its account and whatever its name', async () => {
  await using sqs = await emptySqs()
  await using proxy = await openSqsProxy(sqs.url)
  const config = readConfig({ AWS_ENDPOINT_URL: proxy.url, SQS_QUEUE_NAME: sqs.queueName })
  using queue = await openQueue(config)
  const named = { name: sqs.queueName, url: queue.url }
  const find = () => deadLetterQueue(queue.sqs, named)
  const arnOf = (name: string) => `arn:aws:sqs:us-east-1:000000000000:${name}`
  const redriveTo = async (name: string, maxReceiveCount: unknown) => {
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: arnOf(name), maxReceiveCount })
    await queue.sqs.send(new SetQueueAttributesCommand({ QueueUrl: queue.url, Attributes: { RedrivePolicy } }))
  }

  const created = `${sqs.queueName}-dlq`
  const url = `${queue.url}-dlq`
  expect(await find()).toEqual({ status: 'found', name: created, url, arn: arnOf(created), maxReceiveCount: 5 })
  expect(proxy.calls.at(-1)).toMatchObject({
    name: 'GetQueueUrl',
    input: { QueueName: created, QueueOwnerAWSAccountId: '000000000000' },
  })

  await queue.sqs.send(new CreateQueueCommand({ QueueName: 'failed' }))
  await redriveTo('failed', '7')
  expect(await find()).toMatchObject({ status: 'found', name: 'failed', maxReceiveCount: 7 })

  await redriveTo('gone', 3)
  expect(await find()).toEqual({ status: 'unreadable', reason: 'There is no dead-letter queue gone' })

  const { QueueUrl = '' } = await queue.sqs.send(new CreateQueueCommand({ QueueName: 'bare' }))
  expect(await deadLetterQueue(queue.sqs, { name: 'bare', url: QueueUrl })).toEqual({ status: 'none' })
})
