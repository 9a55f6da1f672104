import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../../../app.ts'
import type { Config } from '../../../config/config.ts'
import { queueAddress } from '../../../config/queue-address.ts'
import { OrdersError } from '../../../errors.ts'
import { isEmulated } from '../../../ingest/sqs/endpoint.ts'
import { openQueue, type Queue } from '../../../ingest/sqs/queue.ts'
import { writeOrder } from '../../../order/write-order.ts'
import { countText } from '../../../reads/count-text.ts'
import { readCounters, rejectedByCode } from '../../../reads/counters.ts'
import { readTop } from '../../../reads/top.ts'
import { namesRedis } from '../../../redis/endpoint.ts'
import { readGlobalStats } from '../../../stages/aggregate.ts'
import { newestInvalidId } from '../../../stages/invalid/oldest.ts'
import { type Call, defineCommand, flag } from '../../command.ts'
import { howToGetRedis, howToKeepData } from '../../local/redis-program.ts'
import { type Sample, sampleOrders } from '../../local/sample-orders.ts'
import { sendOrders } from '../../local/send-orders.ts'
import { forEmulator, trickle } from '../../local/trickle.ts'
import { banner, runWholeSystem, type Started, temporaryFolder } from '../../process/whole-system.ts'
import { progressOn } from '../../terminal/interactive/progress.ts'
import { amountText } from '../../terminal/numbers.ts'
import { table } from '../../terminal/table.ts'

const samples = { valid: 1_000, invalid: 50, users: 100 }

const randomSeed = (): number => Math.floor(Math.random() * 2 ** 32)

/** Sends sample orders through SQS, shows their progress, and prints the results. Returns what was sent. */
async function demonstrate(app: App, queue: Queue, { print, stdout, signal }: Call<unknown>): Promise<Sample[]> {
  const before = await readCounters(app.redis, app.partitions)
  const sent = [...sampleOrders({ ...samples, seed: randomSeed(), until: app.now(), money: app.format.money })]
  const bodies = sent.map(({ body }) => writeOrder(body, app.format))
  const sending = progressOn(stdout, 'sent to SQS:', bodies.length)
  await sendOrders(queue, bodies, { progress: sending, format: app.format }, signal)
  sending.end()
  const processing = progressOn(stdout, 'processed:  ', bodies.length)
  await processed(app, before, bodies.length, processing.show, signal)
  processing.end()
  print('')
  for (const line of await resultLines(app)) print(line)
  return sent
}

/** Polls the counters until every order sent since `before` is ranked, rejected or a duplicate. */
async function processed(
  { redis, partitions }: App,
  before: Readonly<Record<string, number>>,
  total: number,
  show: (done: number) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let done = 0; done < total; ) {
    const counters = await readCounters(redis, partitions)
    const since = (name: string): number => (counters[name] ?? 0) - (before[name] ?? 0)
    done = since('ranked') + since('duplicates') + since('rejected')
    show(Math.min(done, total))
    if (done < total) await sleep(50, undefined, { signal })
  }
}

async function resultLines({ redis, partitions, format: { money } }: App): Promise<string[]> {
  const { orders, minor } = await readGlobalStats(redis, partitions)
  const { users } = await readTop(redis, partitions, 'spend', { limit: 5, offset: 0 })
  const counters = await readCounters(redis, partitions)
  const rejected = rejectedByCode(counters)
  return [
    `Global stats: ${countText(orders)} orders, ${amountText(minor, money)} revenue`,
    '',
    'Top 5 users by spend',
    ...table(users.map(({ userId, score }, at) => [`  ${at + 1}. ${userId}`, amountText(score, money)])),
    '',
    `Invalid orders: ${countText(counters['rejected'] ?? 0)}`,
    ...table(rejected.map(([code, count]) => [`  ${code}`, countText(count)])),
  ]
}

/** Returns what to type next, with ids of this demo. */
async function nextLines({ app, apiUrl }: Started, sent: readonly Sample[]): Promise<string[]> {
  const { user_id, order_id } = JSON.parse(sent.find(({ kind }) => kind === 'valid')?.body ?? '{}')
  const invalidId = await newestInvalidId(app.redis, app.partitions)
  return [
    'Type next, in another terminal in this folder (orders resume aggregate ends the pause):',
    `  npx orders trace ${order_id} --user ${user_id}`,
    `  curl ${apiUrl}/orders/invalid/${invalidId}`,
    '  npx orders pause aggregate',
  ]
}

/** Sends a trickle on a terminal, whose user may look at the dashboard, unless the options say otherwise. */
function sendsTrickle({ options, stdout }: Call<TrickleOptions>): boolean {
  if (options.trickle && options['no-trickle']) {
    throw new OrdersError('ORD_USAGE', 'orders demo: --trickle and --no-trickle contradict each other: give one.')
  }
  return options.trickle || (stdout.isTTY === true && !options['no-trickle'])
}

interface TrickleOptions {
  readonly trickle: boolean
  readonly 'no-trickle': boolean
}

export const command = defineCommand<TrickleOptions>({
  name: 'demo',
  about: 'Runs everything on temporary data, sends 1,000 valid and 50 invalid orders, and shows the results.',
  isService: true,
  examples: ['demo', 'demo --no-trickle'],
  page: 'docs/getting-started.md',
  options: {
    trickle: flag('then sends 30 to 60 orders a second until Ctrl-C, some of them invalid (default on a terminal)'),
    'no-trickle': flag('sends no more orders'),
  },
  run: async (call) => {
    const withTrickle = sendsTrickle(call)
    let started: Started | undefined
    try {
      await runDemo(call, withTrickle, (one) => {
        started = one
      })
    } finally {
      if (call.signal.aborted) call.print(stoppedLines(call, started))
    }
  },
})

/** On a terminal the first line ends the one that `^C` is in. A Redis that is configured keeps its data. */
function stoppedLines({ config, stdout }: Call<unknown>, started?: Started): string[] {
  const keeping = started?.isForgetful ? howToKeepData() : '`npm start` keeps it.'
  const stopped = namesRedis(config) ? 'Stopped.' : `Stopped; its data is gone. ${keeping}`
  return stdout.isTTY ? ['', stopped] : [stopped]
}

const slowTrickle = `From now on 10 to 20 orders a second are sent, some of them invalid, ${countText(forEmulator.max)} in all.`

/** Sample orders never go to a queue of AWS that an ARN or a URL names: a queue of that name is made in the emulator. */
export function onOwnQueue(config: Config): Config {
  if (config.awsEndpointUrl !== undefined || isEmulated(config)) return config
  return { ...config, sqsQueueUrl: undefined, sqsQueueName: queueAddress(config).name }
}

async function runDemo(
  call: Call<TrickleOptions>,
  withTrickle: boolean,
  onStarted: (started: Started) => void,
): Promise<void> {
  const { config, print, signal } = call
  await using folder = await temporaryFolder()
  const quiet: Config = { ...onOwnQueue(config), logLevel: config.logLevel === 'info' ? 'warn' : config.logLevel }
  const show = async (started: Started): Promise<void> => {
    onStarted(started)
    const { app, notes, isForgetful } = started
    for (const note of notes) print(note)
    using queue = await openQueue(app.config, signal)
    const sent = await demonstrate(app, queue, call)
    print(['', ...(await nextLines(started, sent)), ''])
    if (withTrickle)
      print(isForgetful ? slowTrickle : 'From now on 30 to 60 orders a second are sent, some of them invalid.')
    print(banner({ ...started, notes: [] }).split('\n'))
    if (!withTrickle) return
    const options = { seed: randomSeed(), until: app.now(), format: app.format }
    await trickle(queue, { ...options, ...(isForgetful && forEmulator) }, signal)
    print(`No more orders are sent: the emulator of Redis would slow down. For more, ${howToGetRedis()}.`)
  }
  await runWholeSystem(quiet, folder.path, show, call)
}
