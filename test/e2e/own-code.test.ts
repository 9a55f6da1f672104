import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { Snapshot } from '../../src/api/live/snapshot.ts'
import { root } from '../support/markdown.ts'
import { removeOnExit } from '../support/on-exit.ts'
import { applyPage } from '../support/pages/edits.ts'
import { spawnOrders } from '../support/process.ts'
import { requireRealRedis } from '../support/requires.ts'
import { sendBodies } from '../support/send.ts'
import { shippedText } from '../support/shipped-text.ts'
import { until } from '../support/until.ts'
import { type Env, emptyRedis, emptySqs, envOf } from '../support/world.ts'

/** The pages that show code, and what each adds or changes. One copy of the repository has the code of all of them. */
const added: Readonly<Record<string, readonly string[]>> = {
  'add-a-stage': ['src/stages/fraud.ts', 'src/stages/revenue.ts', 'src/stages/pipeline.ts', 'own-list.ts'],
  'add-a-rule': [
    'src/stages/currency.ts',
    'src/reject-codes.ts',
    'src/stages/rules.ts',
    'src/ops/local/sample-orders.ts',
  ],
  'add-a-route': ['src/api/routes/average.ts', 'src/api/server.ts'],
  'add-a-metric': ['src/api/metrics/pauses.ts', 'src/api/metrics/metrics.ts', 'tools/panels.ts'],
  'add-a-command': ['src/ops/commands/inspect/average.ts', 'src/ops/cli.ts'],
  'add-a-key': ['src/keys/whole-keys.ts', 'src/control/notes.ts'],
}

/** Lists what `npm run docs` reads and writes, and what is run. */
const copied = ['src', 'test', 'tools', 'docs', 'deploy', 'README.md', '.env.example', 'package.json', 'tsconfig.json']

/** Lists the files that `npm run docs` writes. */
const generated = [
  'deploy/grafana/orders.json',
  'docs/openapi.json',
  ...['commands', 'errors', 'http', 'keys', 'metrics'].map((name) => `docs/reference/${name}.md`),
]

test('the code of every how-to page compiles, is documented and does what the page says', async (context) => {
  requireRealRedis(context)
  const copy = mkdtempSync(join(tmpdir(), 'orders-own-'))
  using _ = removeOnExit(copy)
  for (const name of copied) cpSync(join(root, name), join(copy, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: copy, encoding: 'utf8' })
  git('init', '--quiet')
  withoutOwnStages(copy)
  for (const [page, files] of Object.entries(added)) expect(applyPage(`docs/how-to/${page}.md`, copy)).toEqual(files)
  git('add', '--all', '--', ':!node_modules')
  const own = { extends: './tsconfig.json', include: [], files: Object.values(added).flat() }
  writeFileSync(join(copy, 'tsconfig.own.json'), JSON.stringify(own))
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['--noEmit', '--singleThreaded', '-p', 'tsconfig.own.json'], {
    cwd: copy,
  })
  execFileSync(process.execPath, ['tools/generate.ts'], { cwd: copy })
  expect(git('diff', '--name-only').trim().split('\n')).toEqual(generated)
  await runIt(join(copy, 'src/ops/orders.js'))
})

/** Gives a copy of a clone with stages of its own the list that we ship, and the pages that it makes. */
function withoutOwnStages(copy: string): void {
  if (process.env['OWN_STAGES'] !== '1') return
  for (const name of ['fraud', 'revenue']) rmSync(join(copy, `src/stages/${name}.ts`), { force: true })
  const files = ['aggregate', 'archive/archive', 'calendar', 'define-pipeline', 'leaderboard', 'validate']
  const lines = files.map((file) => {
    const name = file.replace('define-pipeline', 'definePipeline').replace(/.*\//, '')
    return `import { ${name} } from './${file}.ts'\n`
  })
  writeFileSync(join(copy, 'src/stages/pipeline.ts'), `${lines.join('')}\n${shippedText}\n`)
  execFileSync(process.execPath, ['tools/generate.ts'], { cwd: copy })
}

/** Every tenth order is refused by the stage, every tenth after that breaks the rule. */
const isRefused = (at: number): boolean => at % 10 === 0
const isForeign = (at: number): boolean => at % 10 === 5
const count = 500
const each = count / 10
const orders = Array.from({ length: count }, (_, at) => ({
  user_id: `u${at % 7}`,
  order_id: `o${at}`,
  order_value: isRefused(at) ? 600 : 10,
  order_timestamp: `2026-11-2${at % 3}T10:00:00Z`,
  shipping_address: isRefused(at) ? '1 Nowhere Lane' : '12 Main St',
  ...(isForeign(at) && { currency: 'EUR' }),
}))

async function runIt(entry: string): Promise<void> {
  await using redis = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(redis.url, sqs)
  await using line = spawnOrders(['run', 'bridge', 'validate', 'aggregate', 'leaderboard', 'jobs', 'api'], env, {
    entry,
  })
  await using own = spawnOrders(['run', 'revenue', 'fraud'], env, { entry })
  await Promise.all([line.started(), own.started()])
  await sendBodies(
    env,
    orders.map((order) => JSON.stringify(order)),
  )
  const counted = count - 2 * each
  await until(
    'all to be booked and ranked',
    () => redis.redis.hgetall('pipeline:counters'),
    ({ booked, ranked }) => Number(booked) === count - each && Number(ranked) === counted,
  )
  await stagesWork(redis.redis, env, entry)
  const printed = async (...words: string[]): Promise<string> => {
    await using command = spawnOrders(words, env, { entry })
    await command.exit()
    return command.stdout() + command.stderr()
  }
  const url = await line.apiUrl()
  const read = async (path: string): Promise<string> => (await fetch(`${url}${path}`)).text()

  // The rule.
  const [group] = (JSON.parse(await read('/orders/invalid/summary')) as { reasons: { code: string }[] }).reasons.filter(
    ({ code }) => code === 'bad-currency',
  )
  expect(group).toMatchObject({ code: 'bad-currency', reason: 'currency must be USD', count: each })
  expect(await printed('replay', '10', '--code', 'bad-currency', '--dry-run')).toMatch(/^ {2}bad-currency +10$/m)
  expect(await printed('replay', '100', '--code', 'refused', '--dry-run')).toMatch(/^ {2}refused +50$/m)
  // The route and the command.
  expect(await read('/stats/average')).toBe('{"average":10}')
  expect((await fetch(`${url}/stats/average`, { method: 'POST' })).status).toBe(405)
  expect(await printed('average')).toBe('10.00 on average.\n')
  expect(await read('/metrics')).toContain(`\norders_rejected_total{code="bad-currency"} ${each}\n`)
  // The metric.
  const pauses = async (): Promise<string | undefined> =>
    /^orders_pauses_total\{component="validate"\} (\d+)$/m.exec(await read('/metrics'))?.[1]
  expect(await pauses()).toBe('0')
  expect(await printed('pause', 'validate')).toMatch(/^validate is paused by /)
  await until('the pause to be obeyed', pauses, (count) => count === '1')
  // The key.
  const { writeNote, readNotes } = await import(pathToFileURL(join(dirname(entry), '../control/notes.ts')).href)
  const place = { redis: redis.redis, control: { notes: 'pipeline:notes' } }
  await writeNote(place, 'bridge', 'a new queue')
  expect(await readNotes(place)).toEqual({ bridge: 'a new queue' })
  await redis.redis.set('pipeline:notes', 'not a hash')
  expect(await printed('doctor', 'operator')).toMatch(/pipeline:notes.*string/)
}

async function stagesWork(redis: Redis, env: Env, entry: string): Promise<void> {
  const days = Map.groupBy(
    orders.filter((_, at) => !isForeign(at)),
    ({ order_timestamp }) => order_timestamp.slice(0, 10),
  )
  const expected = [...days].map(([day, some]) => [
    day,
    String(some.reduce((sum, { order_value }) => sum + order_value * 100, 0)),
  ])
  expect(await redis.hgetall('revenue:days')).toEqual(Object.fromEntries(expected))
  expect(await redis.hget('global:stats', 'total_orders')).toBe(String(count - 2 * each))
  await until(
    'all others to be rejected',
    () => redis.llen('invalid_orders'),
    (length) => length === 2 * each,
  )

  await using status = spawnOrders(['status', '--json'], env, { entry })
  await status.exit()
  expect(JSON.parse(status.stdout()).stages).toEqual(
    ['validate', 'revenue', 'fraud', 'aggregate', 'leaderboard'].map((stage) =>
      expect.objectContaining({ stage, waiting: 0, pending: 0, lag: 0 }),
    ),
  )
  await using verify = spawnOrders(['verify', '--deep', '--json'], env, { entry })
  await verify.exit()
  expect(JSON.parse(verify.stdout())).toMatchObject({ verdict: 'right' })
  await using trace = spawnOrders(['trace', 'o10'], env, { entry })
  await trace.exit()
  expect(trace.stdout()).toContain('was not accepted and is in the invalid channel')
  await using tail = spawnOrders(['tail', '--json'], env, { entry })
  const [seen = ''] = await until(
    'a line of the tail',
    () => tail.stdout().split('\n'),
    ({ length }) => length > 1,
  )
  const hops = (JSON.parse(seen) as Snapshot).hops.map(({ name, after }) => [name, after])
  expect(hops).toEqual([
    ['bridge', 'sqs'],
    ['validate', 'bridge'],
    ['revenue', 'validate'],
    ['fraud', 'validate'],
    ['aggregate', 'fraud'],
    ['leaderboard', 'aggregate'],
  ])
}
