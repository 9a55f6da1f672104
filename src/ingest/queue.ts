import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  QueueDoesNotExist,
  SQSServiceException,
} from '@aws-sdk/client-sqs'
import { z } from 'zod'
import type { Config } from '../config.ts'
import { messageOf, OrdersError } from '../errors.ts'
import type { Sqs } from './sqs.ts'
import { openTransport } from './transport.ts'

export interface Queue {
  readonly sqs: Sqs
  readonly url: string
}

/** A message that was received so often is moved to the dead-letter queue. The bridge takes any body, so only a broken bridge gets there. */
const maxReceiveCount = 5
/** 14 days, the longest SQS offers: time to look into what ended there. */
const deadLetterRetentionSeconds = 1_209_600

/**
 * Opens the queue of raw orders, and creates it with its dead-letter queue if it is missing.
 * @throws OrdersError ORD_SQS when SQS does not answer or refuses.
 */
export async function openQueue(config: Config): Promise<Queue & Disposable> {
  const sqs = openTransport(config)
  try {
    const url = await ensureQueue(sqs, config)
    return { sqs, url, [Symbol.dispose]: () => sqs.destroy() }
  } catch (error) {
    sqs.destroy()
    throw cannotOpen(config, error)
  }
}

export type QueueState =
  | { readonly status: 'missing' }
  /** It is there, but its attributes are kept from us. */
  | { readonly status: 'unreadable' }
  | {
      readonly status: 'found'
      readonly messages: number
      /** Handed out and not deleted yet. */
      readonly inFlight: number
      /** Undefined where the queue has no dead-letter queue. */
      readonly maxReceiveCount: number | undefined
      /** Messages in the dead-letter queue; undefined where that cannot be read. */
      readonly deadLetters: number | undefined
    }

/**
 * Looks at the queue of raw orders as it is, and creates nothing.
 * @throws OrdersError ORD_SQS when SQS does not answer or refuses.
 */
export async function inspectQueue(config: Config): Promise<QueueState> {
  const sqs = openTransport(config)
  try {
    const url = await queueUrl(sqs, config.sqsQueueName)
    if (!url) return { status: 'missing' }
    const attributes = await readAttributes(sqs, url)
    if (!attributes) return { status: 'unreadable' }
    const redrive = attributes['RedrivePolicy'] && redrivePolicy.parse(JSON.parse(attributes['RedrivePolicy']))
    return {
      status: 'found',
      messages: Number(attributes[messagesAttribute]),
      inFlight: Number(attributes[inFlightAttribute]),
      maxReceiveCount: redrive ? redrive.maxReceiveCount : undefined,
      deadLetters: redrive ? await countMessages(sqs, redrive.deadLetterTargetArn) : undefined,
    }
  } catch (error) {
    throw cannotOpen(config, error)
  } finally {
    sqs.destroy()
  }
}

/** Where the queue is, for people. */
export function queuePlace({ sqsQueueName, awsEndpointUrl, awsRegion }: Config): string {
  return `${sqsQueueName} at ${awsEndpointUrl ?? `AWS, region ${awsRegion}`}`
}

function cannotOpen(config: Config, cause: unknown): OrdersError {
  const what = `SQS cannot open the queue ${queuePlace(config)} (${messageOf(cause)})`
  return new OrdersError('ORD_SQS', `${what}: check AWS_ENDPOINT_URL and the credentials.`, { cause })
}

async function ensureQueue(sqs: Sqs, { sqsQueueName, sqsVisibilityTimeoutSeconds }: Config): Promise<string> {
  const found = await queueUrl(sqs, sqsQueueName)
  if (found) return found
  const deadLetters = `${sqsQueueName}-dlq`
  const deadLetterUrl = await create(sqs, deadLetters, { MessageRetentionPeriod: String(deadLetterRetentionSeconds) })
  const arn = await sqs.send(new GetQueueAttributesCommand({ QueueUrl: deadLetterUrl, AttributeNames: ['QueueArn'] }))
  const redrive = { deadLetterTargetArn: arn.Attributes?.['QueueArn'], maxReceiveCount }
  return create(sqs, sqsQueueName, {
    VisibilityTimeout: String(sqsVisibilityTimeoutSeconds),
    RedrivePolicy: JSON.stringify(redrive),
  })
}

async function queueUrl(sqs: Sqs, name: string): Promise<string | undefined> {
  try {
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: name }))
    return QueueUrl
  } catch (error) {
    if (error instanceof QueueDoesNotExist) return undefined
    throw error
  }
}

/** Two processes may create it at once: with the same attributes the second gets the first one's. */
async function create(sqs: Sqs, name: string, attributes: Record<string, string>): Promise<string> {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }))
  if (!QueueUrl) throw new Error(`no URL for the queue ${name}`)
  return QueueUrl
}

const messagesAttribute = 'ApproximateNumberOfMessages' as const
const inFlightAttribute = 'ApproximateNumberOfMessagesNotVisible' as const
/** AWS gives the count as a number, some emulators as text. */
const redrivePolicy = z.object({ deadLetterTargetArn: z.string(), maxReceiveCount: z.coerce.number() })

async function readAttributes(sqs: Sqs, url: string): Promise<Record<string, string> | undefined> {
  const asked = { QueueUrl: url, AttributeNames: ['RedrivePolicy' as const, messagesAttribute, inFlightAttribute] }
  const reply = await unlessDenied(sqs.send(new GetQueueAttributesCommand(asked)))
  return reply && (reply.Attributes ?? {})
}

/** @param arn arn:aws:sqs:<region>:<account>:<name> */
async function countMessages(sqs: Sqs, arn: string): Promise<number | undefined> {
  const url = await unlessDenied(queueUrl(sqs, arn.split(':').at(-1) ?? ''))
  const attributes = url ? await readAttributes(sqs, url) : undefined
  return attributes && Number(attributes[messagesAttribute])
}

/** What SQS does not let us see is undefined; that it does not answer is an error. */
async function unlessDenied<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof SQSServiceException && error.$fault === 'client') return undefined
    throw error
  }
}
