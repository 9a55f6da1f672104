import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../../../app.ts'
import type { Config } from '../../../config/config.ts'
import { openQueue } from '../../../ingest/sqs/queue.ts'
import { countText } from '../../../reads/count-text.ts'
import { readCounters, rejectedByCode } from '../../../reads/counters.ts'
import { readTop } from '../../../reads/top.ts'
import { readGlobalStats } from '../../../stages/aggregate.ts'
import { type Call, defineCommand } from '../../command.ts'
import { sampleOrders } from '../../local/sample-orders.ts'
import { sendOrders } from '../../local/send-orders.ts'
import { banner, runWholeSystem, type Started, temporaryFolder } from '../../process/whole-system.ts'
import { money } from '../../terminal/numbers.ts'
import { progressOn } from '../../terminal/progress.ts'
import { table } from '../../terminal/table.ts'

const samples = { valid: 1_000, invalid: 50, users: 100 }

/** Sends sample orders through SQS, shows their progress, and prints the results. */
async function demonstrate(app: App, { print, stdout, signal }: Call<unknown>): Promise<void> {
  const before = await readCounters(app.redis, app.partitions)
  const bodies = [...sampleOrders({ ...samples, seed: Math.floor(Math.random() * 2 ** 32) })].map(({ body }) => body)
  using queue = await openQueue(app.config, signal)
  const sending = progressOn(stdout, 'sent to SQS:', bodies.length)
  await sendOrders(queue, bodies, { progress: sending }, signal)
  sending.end()
  const processing = progressOn(stdout, 'processed:  ', bodies.length)
  await processed(app, before, bodies.length, processing.show, signal)
  processing.end()
  print('')
  for (const line of await resultLines(app)) print(line)
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

async function resultLines({ redis, partitions }: App): Promise<string[]> {
  const { orders, minor } = await readGlobalStats(redis, partitions)
  const { users } = await readTop(redis, partitions, 'spend', { limit: 5, offset: 0 })
  const counters = await readCounters(redis, partitions)
  const rejected = rejectedByCode(counters)
  return [
    `Global stats: ${countText(orders)} orders, ${money(minor)} revenue`,
    '',
    'Top 5 users by spend',
    ...table(users.map(({ userId, score }, at) => [`  ${at + 1}. ${userId}`, money(score)])),
    '',
    `Invalid orders: ${countText(counters['rejected'] ?? 0)}`,
    ...table(rejected.map(([code, count]) => [`  ${code}`, countText(count)])),
  ]
}

export const command = defineCommand({
  name: 'demo',
  about: 'Runs everything on temporary data, sends 1,000 valid and 50 invalid orders, and shows the results.',
  options: {},
  run: async (call) => {
    const { config, print } = call
    await using folder = await temporaryFolder()
    const quiet: Config = { ...config, logLevel: config.logLevel === 'info' ? 'warn' : config.logLevel }
    const show = async (started: Started): Promise<void> => {
      for (const note of started.notes) print(note)
      await demonstrate(started.app, call)
      print('')
      print(banner({ ...started, notes: [] }).split('\n'))
    }
    await runWholeSystem(quiet, folder.path, show, call)
  },
})
