import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  QueueDoesNotExist,
  SQSServiceException,
} from '@aws-sdk/client-sqs'
import { z } from 'zod'
import type { Config } from '../../config/config.ts'
import { messageOf, OrdersError } from '../../errors.ts'
import { withRunningTimeout } from '../../running-timeout.ts'
import { openTransport } from './client.ts'
import { endpointOf } from './endpoint.ts'
import { withPlainErrors } from './plain-errors.ts'
import type { Sqs } from './types.ts'

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
 * @param signal ends it at once
 * @throws OrdersError ORD_SQS when SQS does not answer or refuses.
 */
export async function openQueue(config: Config, signal?: AbortSignal): Promise<Queue & Disposable> {
  const sqs = await openTransport(config)
  try {
    const url = await ensureQueue(withPlainErrors(asking(sqs, signal), config), config)
    return { sqs: withPlainErrors(sqs, config), url, [Symbol.dispose]: () => sqs.destroy() }
  } catch (error) {
    sqs.destroy()
    throw cannotOpen(config, error)
  }
}

export type QueueState =
  | { readonly status: 'missing' }
  /** It is there, but its attributes are kept from us. */
  | { readonly status: 'unreadable'; readonly reason: string }
  | {
      readonly status: 'found'
      readonly messages: number
      /** Handed out and not deleted yet. */
      readonly inFlight: number
      /** Undefined where the queue has no dead-letter queue. */
      readonly maxReceiveCount: number | undefined
      /** Messages in the dead-letter queue; undefined where that cannot be read. */
      readonly deadLetters: number | undefined
      /** Why they cannot be read. */
      readonly unread?: string
    }

/**
 * Looks at the queue of raw orders as it is, and creates nothing.
 * @param signal ends it at once
 * @throws OrdersError ORD_SQS when SQS does not answer or refuses.
 */
export async function inspectQueue(config: Config, signal?: AbortSignal): Promise<QueueState> {
  const transport = await openTransport(config)
  const sqs = withPlainErrors(asking(transport, signal), config)
  try {
    const url = await queueUrl(sqs, config.sqsQueueName)
    if (!url) return { status: 'missing' }
    const attributes = await readAttributes(sqs, { name: config.sqsQueueName, url })
    if (typeof attributes === 'string') return { status: 'unreadable', reason: attributes }
    const redrive = attributes['RedrivePolicy'] && redrivePolicy.parse(JSON.parse(attributes['RedrivePolicy']))
    return {
      status: 'found',
      messages: Number(attributes[messagesAttribute]),
      inFlight: Number(attributes[inFlightAttribute]),
      maxReceiveCount: redrive ? redrive.maxReceiveCount : undefined,
      ...(redrive ? await countDeadLetters(sqs, redrive.deadLetterTargetArn) : { deadLetters: undefined }),
    }
  } catch (error) {
    throw cannotOpen(config, error)
  } finally {
    transport.destroy()
  }
}

type Found = Extract<QueueState, { readonly status: 'found' }>

/** Where the queue is, for people. */
export function queuePlace(config: Config): string {
  return `${config.sqsQueueName} at ${endpointOf(config)}`
}

/** A question that SQS can answer takes milliseconds; the tries that the SDK makes of it are included. */
const answerMs = 5_000

/** The client for questions: each ends after five seconds, or with the signal, even while credentials are fetched. */
function asking(sqs: Sqs, signal: AbortSignal | undefined): Sqs {
  return {
    send: (command) =>
      withRunningTimeout(answerMs, async (late) => {
        const abortSignal = signal ? AbortSignal.any([signal, late]) : late
        abortSignal.throwIfAborted()
        const { promise: ended, reject } = Promise.withResolvers<never>()
        const end = (): void => reject(abortSignal.reason)
        abortSignal.addEventListener('abort', end, { once: true })
        try {
          return await Promise.race([sqs.send(command, { abortSignal }), ended])
        } finally {
          abortSignal.removeEventListener('abort', end)
        }
      }),
    destroy: () => sqs.destroy(),
  }
}

function cannotOpen(config: Config, cause: unknown): OrdersError {
  if (cause instanceof OrdersError)
    return new OrdersError('ORD_SQS', `SQS cannot open the queue ${config.sqsQueueName}: ${cause.message}`, { cause })
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

/** @returns why not, where SQS denies it */
async function readAttributes(
  sqs: Sqs,
  { name, url }: { name: string; url: string },
): Promise<Record<string, string> | string> {
  const asked = { QueueUrl: url, AttributeNames: ['RedrivePolicy' as const, messagesAttribute, inFlightAttribute] }
  const reply = await unlessDenied(sqs.send(new GetQueueAttributesCommand(asked)), `GetQueueAttributes of ${name}`)
  return typeof reply === 'string' ? reply : (reply.Attributes ?? {})
}

/** @param arn arn:aws:sqs:<region>:<account>:<name> */
async function countDeadLetters(sqs: Sqs, arn: string): Promise<Pick<Found, 'deadLetters' | 'unread'>> {
  const name = arn.split(':').at(-1) ?? ''
  const found = await unlessDenied(
    queueUrl(sqs, name).then((url) => ({ url })),
    `GetQueueUrl of ${name}`,
  )
  if (typeof found === 'string') return { deadLetters: undefined, unread: found }
  if (!found.url) return { deadLetters: undefined, unread: `There is no dead-letter queue ${name}` }
  const attributes = await readAttributes(sqs, { name, url: found.url })
  if (typeof attributes === 'string') return { deadLetters: undefined, unread: attributes }
  return { deadLetters: Number(attributes[messagesAttribute]) }
}

/** Describes in words what SQS does not let us see. Throws if SQS does not answer. */
async function unlessDenied<T extends object>(asked: Promise<T>, what: string): Promise<T | string> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof SQSServiceException && error.$fault === 'client')
      return `SQS denies ${what} (${messageOf(error)})`
    throw error
  }
}
