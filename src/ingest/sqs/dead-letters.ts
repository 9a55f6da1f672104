import { z } from 'zod'
import { readArn } from '../../config/queue-address.ts'
import { queueUrl, readAttributes, unlessDenied } from './questions.ts'
import type { Sqs } from './types.ts'

/** The redrive policy of a queue: a message that was received so often is moved there. */
export interface Redrive {
  readonly arn: string
  readonly maxReceiveCount: number
}

/** AWS gives the count as a number, some emulators as text. */
const redrivePolicy = z.object({ deadLetterTargetArn: z.string(), maxReceiveCount: z.coerce.number() })

/** Reads the redrive policy from the attributes of a queue; undefined if it has none. */
export function redriveOf({ RedrivePolicy: policy }: Readonly<Record<string, string>>): Redrive | undefined {
  if (!policy) return undefined
  const { deadLetterTargetArn: arn, maxReceiveCount } = redrivePolicy.parse(JSON.parse(policy))
  return { arn, maxReceiveCount }
}

export type DeadLetterQueue =
  /** The queue has no redrive policy. */
  | { readonly status: 'none' }
  /** The redrive policy or the queue that it names cannot be seen. */
  | { readonly status: 'unreadable'; readonly reason: string }
  | ({ readonly status: 'found'; readonly name: string; readonly url: string } & Redrive)

/**
 * Finds the dead-letter queue of a queue, by its redrive policy. SQS demands that both have the same account and region, so
 * the client of the one is that of the other.
 * @throws if SQS does not answer
 */
export async function deadLetterQueue(sqs: Sqs, queue: { name: string; url: string }): Promise<DeadLetterQueue> {
  const attributes = await readAttributes(sqs, queue, ['RedrivePolicy'])
  if (attributes === undefined) return { status: 'unreadable', reason: `There is no queue ${queue.name}` }
  if (typeof attributes === 'string') return { status: 'unreadable', reason: attributes }
  const redrive = redriveOf(attributes)
  if (!redrive) return { status: 'none' }
  const found = await findDeadLetters(sqs, redrive)
  return typeof found === 'string' ? { status: 'unreadable', reason: found } : { status: 'found', ...found, ...redrive }
}

/** @returns why not, where it is missing or SQS denies it */
export async function findDeadLetters(sqs: Sqs, { arn }: Redrive): Promise<{ name: string; url: string } | string> {
  const address = readArn(arn) ?? { name: arn.split(':').at(-1) ?? '' }
  const { name } = address
  const asked = queueUrl(sqs, address).then((url) => ({ url }))
  const found = await unlessDenied(asked, `GetQueueUrl of ${name}`)
  if (typeof found === 'string') return found
  return found.url ? { name, url: found.url } : noDeadLetters(name)
}

export const noDeadLetters = (name: string): string => `There is no dead-letter queue ${name}`
