import { setTimeout as sleep } from 'node:timers/promises'
import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { readConfig } from '../src/config/config.ts'
import type { Queue } from '../src/ingest/sqs/queue.ts'
import { sendOrders } from '../src/ops/local/send-orders.ts'
import { formatOf } from '../src/order/format.ts'
import { spawnOrders } from '../test/support/process.ts'
import { spawnRedisServer } from '../test/support/redis-server.ts'
import { envOf } from '../test/support/world.ts'
import { alternate, fixed, median, type Options, type Round, table } from './harness.ts'
import { benchOrders, withUser } from './orders.ts'
import { openBenchQueue, openSqs, type Sqs } from './queue.ts'

/** Orders of each user. The emulator hands out one message of a group at a time, AWS up to ten. */
const each = 10
const visible = 'ApproximateNumberOfMessages'
const hidden = 'ApproximateNumberOfMessagesNotVisible'

const settings = ['fsync', 'write', 'replicas:1'].flatMap((deleteAfter) =>
  [10, 200].flatMap((users) => [true, false].map((fifo) => ({ deleteAfter, users, fifo }))),
)
type Setting = (typeof settings)[number]

/** Measures from a full queue to an empty one by one bridge: on FIFO a user's next order waits for a deletion. */
export async function fifo({ rounds, print }: Options): Promise<Record<string, unknown>> {
  await using sqs = await openSqs()
  const results = await alternate(settings, rounds, (setting) => drain(setting, sqs))
  print(`${each} orders of each user; append-only file with everysec, a replica; 16 pollers`)
  const rows = [...results].map(([{ deleteAfter, users, fifo }, done]) => {
    const ms = median(done.map((round) => round.ms))
    return [
      fifo ? 'FIFO' : 'standard',
      deleteAfter,
      users,
      Math.round((1_000 * users * each) / ms),
      fixed(ms / each, 0),
    ]
  })
  print(table(['queue', 'SQS_DELETE_AFTER', 'users', 'per second', 'ms per order of a user'], rows))
  return Object.fromEntries(rows.map(([queue, after, users, ...figures]) => [`${queue} ${after} ${users}`, figures]))
}

const silent = { show: () => {}, end: () => {} }
let queues = 0

async function drain({ deleteAfter, users, fifo }: Setting, sqs: Sqs): Promise<Round> {
  await using server = await spawnRedisServer('--appendfsync', 'everysec')
  if (!server) throw new Error('bench: there is no redis-server on the PATH')
  await using _replica = await spawnRedisServer('--replicaof', '127.0.0.1', `${server.port}`)
  const queueName = `fifo-${++queues}${fifo ? '.fifo' : ''}`
  using queue = await openBenchQueue(sqs.url, queueName)
  const more = { SQS_DELETE_AFTER: deleteAfter, BRIDGE_POLLERS: '16' }
  await using bridge = spawnOrders(['run', 'bridge'], envOf(server.url, { url: sqs.url, queueName }, more))
  await bridge.started()
  bridge.child.kill('SIGSTOP')
  const count = users * each
  const bodies = benchOrders(count).map(({ body }, at) => withUser(body, `user_${at % users}`))
  await sendOrders(queue, bodies, { progress: silent, format: formatOf(readConfig({})) }, new AbortController().signal)
  const started = performance.now()
  bridge.child.kill('SIGCONT')
  while ((await depth(queue)) > 0) await sleep(20)
  return { count, ms: performance.now() - started, cpuMs: {} }
}

async function depth({ sqs, url }: Queue): Promise<number> {
  const asked = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: [visible, hidden] })
  const { Attributes = {} } = await sqs.send(asked)
  return Number(Attributes[visible]) + Number(Attributes[hidden])
}
