/**
 * Runs the algorithm of the Python system: receives ten messages, then handles one after the other with six round trips
 * to Redis and one deletion each. `node python-like.ts <redis url> <sqs url> <queue>`.
 */

import { DeleteMessageCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import { Redis } from 'ioredis'
import { checkMessage } from '../src/stages/rules.ts'
import { plainFormat } from '../test/support/plain-format.ts'
import { openBenchQueue } from './queue.ts'

const [redisUrl = '', sqsUrl = '', queueName = ''] = process.argv.slice(2)
const redis = new Redis(redisUrl)
using queue = await openBenchQueue(sqsUrl, queueName)
const QueueUrl = queue.url
process.once('SIGTERM', () => process.exit(0))
process.stdout.write('"msg":"started"\n')
for (;;) {
  const asked = new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20 })
  const { Messages = [] } = await queue.sqs.send(asked)
  for (const { Body = '', ReceiptHandle } of Messages) {
    const order = checkMessage(Body, plainFormat)
    if ('code' in order || 'kind' in order) continue
    await redis.hincrby(`user:${order.userId}`, 'order_count', 1)
    await redis.hincrbyfloat(`user:${order.userId}`, 'total_spend', order.value)
    await redis.hincrby('global:stats', 'total_orders', 1)
    await redis.hincrbyfloat('global:stats', 'total_revenue', order.value)
    await redis.zincrby('leaderboard:spend', order.value, order.userId)
    await redis.zincrby('leaderboard:orders', 1, order.userId)
    await queue.sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }))
  }
}
