import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../../../app.ts'
import type { Config } from '../../../config.ts'
import { openQueue } from '../../../ingest/sqs/queue.ts'
import { readCounters } from '../../../reads/counters.ts'
import { readTop } from '../../../reads/top.ts'
import { readGlobalStats } from '../../../stages/aggregate.ts'
import { defineCommand } from '../../command.ts'
import { sampleOrders } from '../../local/sample-orders.ts'
import { populate } from '../../local/send-orders.ts'
import { banner, type Started, start, temporaryFolder } from '../../process/whole-system.ts'
import { progressOn } from '../../terminal/progress.ts'
import { money, rejectedByCode, table } from '../inspect/status.ts'

const samples = { valid: 1_000, invalid: 50, users: 100 }

/** Sends sample orders through SQS, shows how they are worked off, and prints what came of them. */
export async function demonstrate(app: App, print: (line: string) => void, signal: AbortSignal): Promise<void> {
  const before = await readCounters(app.redis, app.partitions)
  const bodies = [...sampleOrders({ ...samples, seed: Math.floor(Math.random() * 2 ** 32) })].map(({ body }) => body)
  using queue = await openQueue(app.config, signal)
  const sending = progressOn(process.stdout, 'sent to SQS:', bodies.length)
  await populate(queue, bodies, { progress: sending }, signal)
  sending.end()
  const working = progressOn(process.stdout, 'worked off: ', bodies.length)
  await worked(app, before, bodies.length, working.show, signal)
  working.end()
  print('')
  for (const line of await resultLines(app)) print(line)
}

/** Polls the counters until every order sent since `before` is ranked, rejected or known. */
async function worked(
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
    `Global stats: ${orders.toLocaleString('en')} orders, ${money(minor)} revenue`,
    '',
    'Top 5 users by spend',
    ...table(users.map(({ userId, score }, at) => [`  ${at + 1}. ${userId}`, money(score)])),
    '',
    `Invalid orders: ${(counters['rejected'] ?? 0).toLocaleString('en')}`,
    ...table(rejected.map(([code, count]) => [`  ${code}`, count.toLocaleString('en')])),
  ]
}

export const demoCommand = defineCommand({
  name: 'demo',
  about: 'Runs everything on data of its own, sends 1,000 valid and 50 invalid orders, and shows what comes of them.',
  options: {},
  run: async ({ config, signal, print }) => {
    await using folder = await temporaryFolder()
    const quiet: Config = { ...config, logLevel: config.logLevel === 'info' ? 'warn' : config.logLevel }
    const show = async (started: Started): Promise<void> => {
      for (const note of started.notes) print(note)
      await demonstrate(started.app, print, signal)
      print('')
      print(banner({ ...started, notes: [] }).split('\n'))
    }
    await start(quiet, folder.path, show, signal)
  },
})
