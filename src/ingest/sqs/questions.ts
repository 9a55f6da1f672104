import {
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  type QueueAttributeName,
  QueueDoesNotExist,
  SQSServiceException,
} from '@aws-sdk/client-sqs'
import type { QueueAddress } from '../../config/queue-address.ts'
import { messageOf } from '../../errors.ts'
import { withRunningTimeout } from '../../running-timeout.ts'
import type { Sqs } from './types.ts'

/** A question that SQS can answer takes milliseconds; the tries that the SDK makes of it are included. */
const answerMs = 5_000

/** The client for questions: each ends after five seconds, or with the signal, even while credentials are fetched. */
export function asking(sqs: Sqs, signal: AbortSignal | undefined): Sqs {
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

/** Returns the URL of a queue, as it was given or as SQS says it; undefined if there is none of that name. */
export async function queueUrl(sqs: Sqs, { name, account, url }: QueueAddress): Promise<string | undefined> {
  if (url) return url
  const owner = account && { QueueOwnerAWSAccountId: account }
  try {
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: name, ...owner }))
    return QueueUrl
  } catch (error) {
    if (error instanceof QueueDoesNotExist) return undefined
    throw error
  }
}

/** @returns why not, where SQS denies it; undefined if there is no queue at that URL */
export async function readAttributes(
  sqs: Sqs,
  { name, url }: { name: string; url: string },
  names: QueueAttributeName[],
): Promise<Record<string, string> | string | undefined> {
  const asked = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: names })
  try {
    const reply = await unlessDenied(sqs.send(asked), `GetQueueAttributes of ${name}`)
    return typeof reply === 'string' ? reply : (reply.Attributes ?? {})
  } catch (error) {
    if (error instanceof QueueDoesNotExist) return undefined
    throw error
  }
}

/** Describes in words what SQS does not let us see. Throws if SQS does not answer. */
export async function unlessDenied<T extends object>(asked: Promise<T>, what: string): Promise<T | string> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof QueueDoesNotExist) throw error
    if (error instanceof SQSServiceException && error.$fault === 'client')
      return `SQS denies ${what} (${messageOf(error)})`
    throw error
  }
}
