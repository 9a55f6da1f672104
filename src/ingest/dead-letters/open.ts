import type { Config } from '../../config/config.ts'
import { queueAddress } from '../../config/queue-address.ts'
import { messageOf, OrdersError } from '../../errors.ts'
import { openTransport } from '../sqs/client.ts'
import { isFifo } from '../sqs/create.ts'
import { deadLetterQueue, noDeadLetters, redriveOf } from '../sqs/dead-letters.ts'
import { endpointOf, endpointVariable, missingText } from '../sqs/endpoint.ts'
import { withPlainErrors } from '../sqs/plain-errors.ts'
import { asking, queueUrl, readAttributes } from '../sqs/questions.ts'
import type { Queue } from '../sqs/queue.ts'

/** The dead-letter queue of the queue of raw orders. */
export interface DeadLetters extends Queue, Disposable {
  readonly name: string
  /** True for a FIFO queue, which delivers a group in order. */
  readonly isFifo: boolean
  /** Counts by the estimates of SQS. @throws OrdersError ORD_SQS */
  count(): Promise<DeadLetterCounts>
}

export interface DeadLetterCounts {
  readonly messages: number
  /** Delivered to a consumer and not deleted yet. */
  readonly inFlight: number
  /** Receives after which its own redrive policy takes a message away; undefined where it has none. */
  readonly maxReceiveCount: number | undefined
}

/**
 * Opens the dead-letter queue that the redrive policy of the queue names. Creates nothing.
 * @param signal ends it at once
 * @throws OrdersError ORD_SQS where SQS does not answer or refuses; ORD_DEAD_LETTERS where the queue has none
 */
export async function openDeadLetters(config: Config, signal?: AbortSignal): Promise<DeadLetters> {
  const transport = await openTransport(config)
  const sqs = withPlainErrors(transport, config)
  const questions = withPlainErrors(asking(transport, signal), config)
  const address = queueAddress(config)
  const { name } = address
  try {
    const url = await queueUrl(questions, address)
    if (!url) throw unusable(missingText(config))
    const found = await deadLetterQueue(questions, { name, url })
    if (found.status === 'none') {
      const advice = 'give it a redrive policy that names one'
      throw new OrdersError('ORD_DEAD_LETTERS', `The queue ${name} has no dead-letter queue: ${advice}.`)
    }
    if (found.status === 'unreadable')
      throw unusable(`The dead-letter queue of ${name} cannot be used (${found.reason}): check its rights.`)
    return {
      sqs,
      ...{ name: found.name, url: found.url, isFifo: isFifo(found.name) },
      count: async () => {
        const attributes = await readAttributes(questions, found, ['RedrivePolicy', messages, inFlight])
        if (attributes === undefined) throw unusable(`${noDeadLetters(found.name)}: it was deleted.`)
        if (typeof attributes === 'string') throw unusable(`${attributes}: check the rights on it.`)
        return {
          messages: Number(attributes[messages]),
          inFlight: Number(attributes[inFlight]),
          maxReceiveCount: redriveOf(attributes)?.maxReceiveCount,
        }
      },
      [Symbol.dispose]: () => transport.destroy(),
    }
  } catch (error) {
    transport.destroy()
    if (error instanceof OrdersError) throw error
    const what = `SQS cannot open the dead-letter queue of ${name} at ${endpointOf(config)} (${messageOf(error)})`
    const variable = endpointVariable(config) ?? 'AWS_ENDPOINT_URL'
    throw new OrdersError('ORD_SQS', `${what}: check ${variable} and the credentials.`, { cause: error })
  }
}

const messages = 'ApproximateNumberOfMessages' as const
const inFlight = 'ApproximateNumberOfMessagesNotVisible' as const

const unusable = (message: string): OrdersError => new OrdersError('ORD_SQS', message)
