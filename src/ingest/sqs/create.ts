import { CreateQueueCommand, GetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import type { Config } from '../../config/config.ts'
import type { Sqs } from './types.ts'

/** A message that was received so often is moved to the dead-letter queue. The bridge takes any body, so only a broken bridge gets there. */
const maxReceiveCount = 5
/** 14 days, the longest SQS offers: time to look into what ended there. */
const deadLetterRetentionSeconds = 1_209_600

const fifoEnd = '.fifo'
/** Reports whether a queue is FIFO, by its name or its URL: SQS demands that the name ends so. */
export const isFifo = (name: string): boolean => name.endsWith(fifoEnd)

/** Returns the name of the dead-letter queue that is created for a queue. That of a FIFO queue must be FIFO too. */
export const deadLettersOf = (name: string): string =>
  isFifo(name) ? `${name.slice(0, -fifoEnd.length)}-dlq${fifoEnd}` : `${name}-dlq`

/**
 * Each message group has the throughput of its own. No body stands for its message: a producer that sends an order twice
 * without an id of the message would lose the second, and whether it is a duplicate is for the ledger to decide.
 */
const fifoAttributes = {
  FifoQueue: 'true',
  ContentBasedDeduplication: 'false',
  DeduplicationScope: 'messageGroup',
  FifoThroughputLimit: 'perMessageGroupId',
}

/** Creates a queue and its dead-letter queue. Both are FIFO if the name ends in .fifo. @returns its URL */
export async function createQueue(sqs: Sqs, { sqsQueueName, sqsVisibilityTimeoutSeconds }: Config): Promise<string> {
  const deadLetterUrl = await create(sqs, deadLettersOf(sqsQueueName), {
    MessageRetentionPeriod: String(deadLetterRetentionSeconds),
  })
  const arn = await sqs.send(new GetQueueAttributesCommand({ QueueUrl: deadLetterUrl, AttributeNames: ['QueueArn'] }))
  const redrive = { deadLetterTargetArn: arn.Attributes?.['QueueArn'], maxReceiveCount }
  return create(sqs, sqsQueueName, {
    VisibilityTimeout: String(sqsVisibilityTimeoutSeconds),
    RedrivePolicy: JSON.stringify(redrive),
  })
}

/** Two processes may create it at once: with the same attributes the second gets the first one's. */
async function create(sqs: Sqs, name: string, attributes: Record<string, string>): Promise<string> {
  const Attributes = { ...attributes, ...(isFifo(name) && fifoAttributes) }
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: name, Attributes }))
  if (!QueueUrl) throw new Error(`no URL for the queue ${name}`)
  return QueueUrl
}
