/* Drains a queue, with our bridge or with a bare loop of the SDK, and reports time and CPU. */
import { DeleteMessageBatchCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import { readConfig } from '../src/config/config.ts'
import { openApp } from '../src/ops/open/open-app.ts'
import { runRoles } from '../src/ops/process/roles.ts'
import { cpuMeter, type Round } from './harness.ts'
import { countdown } from './line/contender.ts'
import { openBenchQueue } from './queue.ts'
import { serve } from './worker.ts'

export interface DrainTask {
  /** `bare`, or one of the values of SQS_TRANSPORT. */
  readonly transport: string
  readonly pollers: number
  readonly count: number
  readonly queueName: string
  readonly sqsUrl: string
  readonly redisUrl: string
  readonly pids: Readonly<Record<string, number>>
}

serve((task: DrainTask): Promise<Round> => (task.transport === 'bare' ? bare(task) : bridge(task)))

async function bridge(task: DrainTask): Promise<Round> {
  const app = await openApp(
    readConfig({
      REDIS_URL: task.redisUrl,
      AWS_ENDPOINT_URL: task.sqsUrl,
      SQS_QUEUE_NAME: task.queueName,
      SQS_TRANSPORT: task.transport,
      BRIDGE_POLLERS: `${task.pollers}`,
      SQS_WAIT_TIME_SECONDS: '1',
      LOG_LEVEL: 'silent',
      HIGH_WATER_ORDERS: '100000000',
    }),
  )
  const { done, tick } = countdown(task.count)
  const stop = new AbortController()
  const clock = stopwatch(task)
  app.telemetry.listen((event, fields) => {
    if (event === 'started') clock.start()
    if (event === 'deleted') tick((fields as { messages: number }).messages)
  })
  const running = runRoles(app, ['bridge'], stop.signal)
  await Promise.race([done, running])
  const round = clock.stop()
  stop.abort()
  await running
  await app[Symbol.asyncDispose]()
  return round
}

/** Receives and deletes, and does nothing with the messages. */
async function bare(task: DrainTask): Promise<Round> {
  using queue = await openBenchQueue(task.sqsUrl, task.queueName)
  const clock = stopwatch(task)
  let left = task.count
  const poll = async (): Promise<void> => {
    const QueueUrl = queue.url
    while (left > 0) {
      const asked = new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: 10,
        WaitTimeSeconds: 1,
        VisibilityTimeout: 30,
      })
      const { Messages = [] } = await queue.sqs.send(asked)
      if (Messages.length === 0) continue
      const Entries = Messages.map(({ ReceiptHandle }, at) => ({ Id: `${at}`, ReceiptHandle }))
      await queue.sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }))
      left -= Messages.length
      if (left <= 0) clock.lap()
    }
  }
  clock.start()
  await Promise.all(Array.from({ length: task.pollers }, poll))
  return clock.stop()
}

/** Measures until `lap`, if the caller waits for more than is measured. */
function stopwatch({ count, pids }: DrainTask) {
  let started = 0
  let meter = (): Record<string, number> => ({})
  let ended: Round | undefined
  const lap = (): Round => {
    ended ??= { count, ms: performance.now() - started, cpuMs: meter() }
    return ended
  }
  const start = (): void => {
    meter = cpuMeter({ ...pids, node: process.pid })
    started = performance.now()
  }
  return { start, lap, stop: lap }
}
