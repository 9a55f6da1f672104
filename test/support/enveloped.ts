import { randomUUID } from 'node:crypto'
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { CreateTopicCommand, PublishBatchCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns'
import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { readConfig } from '../../src/config/config.ts'
import { openQueue } from '../../src/ingest/sqs/queue.ts'
import { isOrder, pointerTo, wrap } from './envelopes.ts'
import { sendBodies } from './send.ts'
import type { Env } from './world.ts'

/** Ways to the queue. `topic` and `raw` go through a topic, to a subscription without and with raw message delivery. */
const ways = ['bare', 'topic', 'raw', 'eventbridge', 'cloudevents', 'base64', 'gzip', 's3'] as const

/** Sends bodies as teams do who have something in front of their queue: each in the next of all ways that can take it. */
export async function sendEnveloped(env: Env, bodies: readonly string[]): Promise<void> {
  const byWay = Map.groupBy(bodies.entries(), ([at, body]) => (isOrder(body) ? ways[at % ways.length] : 'bare'))
  for (const [way = 'bare', some] of byWay) {
    const own = some.map(([, body]) => body)
    if (way === 'topic' || way === 'raw') await publish(env, way, own)
    else if (way === 's3') await sendBodies(env, await store(env, own))
    else await sendBodies(env, way === 'bare' ? own : own.map((body) => wrap(way, body)))
  }
}

/** Publishes bodies to a topic that the queue is subscribed to. @param traceparent an attribute of each */
export async function publish(
  env: Env,
  way: 'topic' | 'raw',
  bodies: readonly string[],
  traceparent?: string,
): Promise<void> {
  const config = readConfig({ ...env })
  using queue = await openQueue(config)
  const { Attributes } = await queue.sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: queue.url, AttributeNames: ['QueueArn'] }),
  )
  const sns = new SNSClient(clientOf(env))
  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: `orders-${way}` }))
  const raw = { RawMessageDelivery: String(way === 'raw') }
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint: Attributes?.QueueArn, Attributes: raw }))
  for (let at = 0; at < bodies.length; at += 10) {
    const attribute = traceparent && { traceparent: { DataType: 'String', StringValue: traceparent } }
    const traced = attribute && { MessageAttributes: attribute }
    const entries = bodies.slice(at, at + 10).map((Message, place) => ({ Id: `${place}`, Message, ...traced }))
    await sns.send(new PublishBatchCommand({ TopicArn, PublishBatchRequestEntries: entries }))
  }
  sns.destroy()
}

const clientOf = (env: Env) => ({
  endpoint: env['AWS_ENDPOINT_URL'] ?? '',
  region: 'us-east-1',
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
})

/** Puts bodies into S3, as an extended client does. @returns the pointers to them */
export async function store(env: Env, bodies: readonly string[]): Promise<string[]> {
  const Bucket = 'large-orders'
  const s3 = new S3Client({ ...clientOf(env), forcePathStyle: true })
  await s3.send(new CreateBucketCommand({ Bucket }))
  const keys = await Promise.all(
    bodies.map(async (Body) => {
      const Key = randomUUID()
      await s3.send(new PutObjectCommand({ Bucket, Key, Body }))
      return Key
    }),
  )
  s3.destroy()
  return keys.map((key) => pointerTo(Bucket, key))
}
