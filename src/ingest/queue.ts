import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  QueueDoesNotExist,
  SQSClient,
  type SQSClientConfig,
} from '@aws-sdk/client-sqs'
import type { Config } from '../config.ts'
import { messageOf, OrdersError } from '../errors.ts'

export interface Queue {
  readonly sqs: SQSClient
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
  const sqs = new SQSClient(clientOptions(config))
  try {
    const url = await ensureQueue(sqs, config)
    return { sqs, url, [Symbol.dispose]: () => sqs.destroy() }
  } catch (error) {
    sqs.destroy()
    const where = config.awsEndpointUrl ?? `AWS, region ${config.awsRegion}`
    const what = `SQS cannot open the queue ${config.sqsQueueName} at ${where} (${messageOf(error)})`
    throw new OrdersError('ORD_SQS', `${what}: check AWS_ENDPOINT_URL and the credentials.`, { cause: error })
  }
}

function clientOptions(config: Config): SQSClientConfig {
  const credentials = credentialsOf(config)
  return {
    region: config.awsRegion,
    ...(config.awsEndpointUrl && { endpoint: config.awsEndpointUrl }),
    ...(credentials && { credentials }),
    requestHandler: { connectionTimeout: connectTimeoutMs, requestTimeout: requestTimeoutMs },
  }
}

/** Undefined leaves it to the SDK's own chain: profiles, roles, what the machine has. */
function credentialsOf(config: Config): SQSClientConfig['credentials'] {
  const { awsAccessKeyId: accessKeyId, awsSecretAccessKey: secretAccessKey, awsSessionToken: sessionToken } = config
  if (accessKeyId && secretAccessKey) return { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) }
  const host = config.awsEndpointUrl && new URL(config.awsEndpointUrl).hostname
  const local = host && !/\.(amazonaws\.com(\.cn)?|aws)$/.test(host)
  return local ? { accessKeyId: 'test', secretAccessKey: 'test' } : undefined
}

/** Long enough for a slow network, short enough for a person waiting for the first line. */
const connectTimeoutMs = 5_000
/** The longest long poll is 20 s. */
const requestTimeoutMs = 30_000

async function ensureQueue(sqs: SQSClient, { sqsQueueName, sqsVisibilityTimeoutSeconds }: Config): Promise<string> {
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

async function queueUrl(sqs: SQSClient, name: string): Promise<string | undefined> {
  try {
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: name }))
    return QueueUrl
  } catch (error) {
    if (error instanceof QueueDoesNotExist) return undefined
    throw error
  }
}

/** Two processes may create it at once: with the same attributes the second gets the first one's. */
async function create(sqs: SQSClient, name: string, attributes: Record<string, string>): Promise<string> {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }))
  if (!QueueUrl) throw new Error(`no URL for the queue ${name}`)
  return QueueUrl
}
