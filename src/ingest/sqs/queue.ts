import { GetQueueAttributesCommand, QueueDoesNotExist } from '@aws-sdk/client-sqs'
import type { ClockOffset } from '../../clock-offset.ts'
import type { Config } from '../../config/config.ts'
import { type QueueAddress, queueAddress } from '../../config/queue-address.ts'
import { messageOf, OrdersError } from '../../errors.ts'
import { openSdk, openTransport } from './client.ts'
import { followClock } from './clock.ts'
import { createQueue } from './create.ts'
import { findDeadLetters, noDeadLetters, type Redrive, redriveOf } from './dead-letters.ts'
import { endpointVariable, mayCreate, missingText, queuePlace } from './endpoint.ts'
import { withPlainErrors } from './plain-errors.ts'
import { asking, queueUrl, readAttributes } from './questions.ts'
import type { Sqs } from './types.ts'

export interface Queue {
  readonly sqs: Sqs
  readonly url: string
}

/**
 * Opens the queue of raw orders. One that is missing is created with its dead-letter queue, if it may be.
 * @param signal ends it at once
 * @throws OrdersError ORD_SQS when SQS does not answer or refuses, or when there is no queue.
 */
export async function openQueue(config: Config, signal?: AbortSignal): Promise<Queue & Disposable> {
  using stack = new DisposableStack()
  const sqs = await openTransport(config)
  stack.defer(() => sqs.destroy())
  const url = await ensureQueue(withPlainErrors(asking(sqs, signal), config), config).catch((error: unknown) => {
    throw cannotOpen(config, error)
  })
  if (url === undefined) throw new OrdersError('ORD_SQS', missingText(config))
  const opened = stack.move()
  return { sqs: withPlainErrors(sqs, config), url, [Symbol.dispose]: () => opened.dispose() }
}

export type QueueState = { readonly clock: ClockOffset | undefined } & (
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
)

/**
 * Looks at the queue of raw orders as it is, and creates nothing.
 * @param signal ends it at once
 * @throws OrdersError ORD_SQS when SQS does not answer or refuses.
 */
export async function inspectQueue(config: Config, signal?: AbortSignal): Promise<QueueState> {
  const sdk = openSdk(config)
  const clock = followClock(sdk)
  const sqs = withPlainErrors(asking(sdk, signal), config)
  try {
    const address = queueAddress(config)
    const url = await queueUrl(sqs, address)
    const names = ['RedrivePolicy' as const, messagesAttribute, inFlightAttribute]
    const attributes = url && (await readAttributes(sqs, { name: address.name, url }, names))
    if (!attributes) return { status: 'missing', clock: clock() }
    if (typeof attributes === 'string') return { status: 'unreadable', reason: attributes, clock: clock() }
    const redrive = redriveOf(attributes)
    return {
      status: 'found',
      messages: Number(attributes[messagesAttribute]),
      inFlight: Number(attributes[inFlightAttribute]),
      maxReceiveCount: redrive?.maxReceiveCount,
      ...(redrive ? await countDeadLetters(sqs, redrive) : { deadLetters: undefined }),
      clock: clock(),
    }
  } catch (error) {
    throw cannotOpen(config, error)
  } finally {
    sdk.destroy()
  }
}

type Found = Extract<QueueState, { readonly status: 'found' }>

function cannotOpen(config: Config, cause: unknown): OrdersError {
  const { name } = queueAddress(config)
  if (cause instanceof OrdersError)
    return new OrdersError('ORD_SQS', `SQS cannot open the queue ${name}: ${cause.message}`, { cause })
  const what = `SQS cannot open the queue ${queuePlace(config)} (${messageOf(cause)})`
  return new OrdersError(
    'ORD_SQS',
    `${what}: check ${endpointVariable(config) ?? 'AWS_ENDPOINT_URL'} and the credentials.`,
    { cause },
  )
}

/** @returns undefined if it is missing and may not be created */
async function ensureQueue(sqs: Sqs, config: Config): Promise<string | undefined> {
  const found = await existingUrl(sqs, queueAddress(config))
  return found ?? (mayCreate(config) ? createQueue(sqs, config) : undefined)
}

/** A role that may only send or receive is not allowed to look, and may go on. */
async function existingUrl(sqs: Sqs, address: QueueAddress): Promise<string | undefined> {
  const { url } = address
  if (!url) return queueUrl(sqs, address)
  try {
    await sqs.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['QueueArn'] }))
    return url
  } catch (error) {
    if (error instanceof QueueDoesNotExist) return undefined
    if ((error as Error).name.startsWith('AccessDenied')) return url
    throw error
  }
}

const messagesAttribute = 'ApproximateNumberOfMessages' as const
const inFlightAttribute = 'ApproximateNumberOfMessagesNotVisible' as const

async function countDeadLetters(sqs: Sqs, redrive: Redrive): Promise<Pick<Found, 'deadLetters' | 'unread'>> {
  const found = await findDeadLetters(sqs, redrive)
  const counted =
    typeof found === 'string'
      ? found
      : ((await readAttributes(sqs, found, [messagesAttribute])) ?? noDeadLetters(found.name))
  if (typeof counted === 'string') return { deadLetters: undefined, unread: counted }
  return { deadLetters: Number(counted[messagesAttribute]) }
}
