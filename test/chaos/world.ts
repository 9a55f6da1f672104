import {
  GetQueueAttributesCommand,
  type QueueAttributeName,
  ReceiveMessageCommand,
  SetQueueAttributesCommand,
} from '@aws-sdk/client-sqs'
import { Redis } from 'ioredis'
import { readConfig } from '../../src/config/config.ts'
import { openQueue, type Queue } from '../../src/ingest/sqs/queue.ts'
import { sendOrders } from '../../src/ops/local/send-orders.ts'
import { plainFormat } from '../support/plain-format.ts'
import { openProxy, type TcpProxy } from '../support/proxy.ts'
import { type RedisServer, spawnRedisServer } from '../support/redis-server.ts'
import { type SqsServer, spawnSqsServer } from '../support/sqs-server.ts'
import { type Env, envOf } from '../support/world.ts'
import { inNewYork } from './flow.ts'
import { employ, type Worker } from './worker.ts'

/** The whole system as processes of its own, each reaching Redis and SQS through a proxy. */
export interface World extends AsyncDisposable {
  /** Of every process. */
  readonly env: Env
  readonly workers: readonly Worker[]
  readonly server: RedisServer
  readonly sqs: SqsServer
  readonly toRedis: TcpProxy
  readonly toSqs: TcpProxy
  /** Not through the proxy. */
  readonly redis: Redis
  /** Not through the proxy. */
  readonly queue: Queue
  /** Never while the emulator is being killed: what was sent twice would be two messages. */
  send(bodies: readonly string[]): Promise<void>
  /** Receives without deleting. */
  receive(messages: number): Promise<void>
  /** Messages in the queue, received ones too. */
  depth(): Promise<number>
  /** Messages that a consumer received and that are hidden from others. */
  inFlight(): Promise<number>
  /** Messages that were received too often. */
  deadLetters(): Promise<number>
  /** kill -9 of a worker, Redis or the emulator; the last two are started again. */
  kill(victim: Worker | 'redis' | 'sqs'): Promise<void>
  kills(): number
}

/** A process: its roles, and what it has in its environment beyond the others. */
export interface Post {
  readonly roles: readonly string[]
  readonly env?: Env
}

const queueName = 'orders'

export async function openWorld(posts: readonly Post[], maxReceiveCount = 5): Promise<World> {
  await using stack = new AsyncDisposableStack()
  const server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  stack.use(server)
  const sqs = stack.use(await spawnSqsServer())
  const toRedis = stack.use(await openProxy(server.port))
  const toSqs = stack.use(await openProxy(sqs.port))
  const redis = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 20 })
  redis.on('error', () => {})
  stack.defer(() => redis.disconnect())
  const queue = stack.use(await openQueue(readConfig({ AWS_ENDPOINT_URL: sqs.url, SQS_QUEUE_NAME: queueName })))
  await setMaxReceiveCount(queue, maxReceiveCount)
  const redisUrl = `redis://127.0.0.1:${toRedis.port}`
  const roleEnv = envOf(redisUrl, { url: `http://127.0.0.1:${toSqs.port}`, queueName }, chaosEnv)
  const workers = posts.map(({ roles, env }) => stack.use(employ(roles, { ...roleEnv, ...env })))
  await Promise.all(workers.map((worker) => worker.started()))
  let kills = 0
  const [oneAtRedis, oneAtSqs] = [inTurn(), inTurn()]
  const killSqs = async (): Promise<void> => {
    await sqs.kill()
    await sqs.start()
  }
  const killRedis = async (): Promise<void> => {
    await server.stop('SIGKILL')
    await server.start()
  }
  const kill: World['kill'] = async (victim) => {
    kills++
    if (victim === 'redis') return oneAtRedis(killRedis)
    if (victim === 'sqs') return oneAtSqs(killSqs)
    await victim.started()
    await victim.kill()
  }
  const send = async (bodies: readonly string[]): Promise<void> => {
    await sendOrders(queue, bodies, { progress: silent, format: plainFormat }, new AbortController().signal)
  }
  const opened = stack.move()
  return {
    ...{ env: roleEnv, workers, server, sqs, toRedis, toSqs, redis, queue, kill },
    send: (bodies) => oneAtSqs(() => send(bodies)),
    receive: (count) => oneAtSqs(() => receive(queue, count)),
    depth: () => countOf(queue, queue.url, 'ApproximateNumberOfMessages', hidden),
    inFlight: () => countOf(queue, queue.url, hidden),
    deadLetters: () => countOf(queue, `${queue.url}-dlq`, 'ApproximateNumberOfMessages', hidden),
    kills: () => kills,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** As short as they may be, so that what a dead process held is soon held by another. */
const chaosEnv: Env = {
  ...inNewYork,
  SQS_VISIBILITY_TIMEOUT_SECONDS: '5',
  CLAIM_IDLE_MS: '1000',
  LEDGER_DAYS: '1',
}

const silent = { show: () => {}, end: () => {} }

/** A message that was received so often is moved to the dead-letter queue. */
async function setMaxReceiveCount({ sqs, url }: Queue, maxReceiveCount: number): Promise<void> {
  const arn = await sqs.send(new GetQueueAttributesCommand({ QueueUrl: `${url}-dlq`, AttributeNames: ['QueueArn'] }))
  const redrive = { deadLetterTargetArn: arn.Attributes?.['QueueArn'], maxReceiveCount }
  const attributes = { RedrivePolicy: JSON.stringify(redrive) }
  await sqs.send(new SetQueueAttributesCommand({ QueueUrl: url, Attributes: attributes }))
}

/** Runs what it is given one after the other. */
function inTurn(): (run: () => Promise<void>) => Promise<void> {
  let last: Promise<unknown> = Promise.resolve()
  return (run) => {
    const turn = last.then(run)
    last = turn.catch(() => {})
    return turn
  }
}

async function receive({ sqs, url }: Queue, messages: number): Promise<void> {
  const ask = { QueueUrl: url, MaxNumberOfMessages: 10 }
  await Promise.all(Array.from({ length: messages / 10 }, () => sqs.send(new ReceiveMessageCommand(ask))))
}

const hidden = 'ApproximateNumberOfMessagesNotVisible'

async function countOf({ sqs }: Queue, url: string, ...names: QueueAttributeName[]): Promise<number> {
  const { Attributes = {} } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: names }))
  return names.reduce((sum, name) => sum + Number(Attributes[name]), 0)
}
