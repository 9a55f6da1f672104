import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { roleNames } from '../../src/ops/process/roles.ts'
import { archiveFolder } from '../support/archive.ts'
import { scrape } from '../support/exposition.ts'
import { fullDisk, type Output, unreadPipe } from '../support/full-output.ts'
import { killOnExit, removeOnExit } from '../support/on-exit.ts'
import { spawnOrders } from '../support/process.ts'
import { freePort } from '../support/redis-server.ts'
import { sendBodies } from '../support/send.ts'
import { until } from '../support/until.ts'
import { emptyRedis, emptySqs, envOf } from '../support/world.ts'

const dropped = 'orders_log_lines_dropped_total'
const bodies = Array.from({ length: 200 }, (_, i) => JSON.stringify({ user_id: 'u', order_id: `${i}`, order_value: 1 }))

/** Each request is a line of a log at level debug. */
async function getOften(url: string): Promise<number[]> {
  return Promise.all(Array.from({ length: 250 }, async () => (await fetch(url)).status))
}

async function expectWorkGoesOn(log: Output): Promise<void> {
  await using redis = await emptyRedis()
  await using sqs = await emptySqs()
  using archive = archiveFolder()
  const port = await freePort()
  const more = { CALENDAR: 'on', ARCHIVE_URL: archive.url, LOG_LEVEL: 'debug', API_PORT: `${port}` }
  const env = envOf(redis.url, sqs, more)
  await using orders = spawnOrders(['run', ...roleNames], env, { stderr: log.fd })
  const url = `http://127.0.0.1:${port}`
  await until('the API to be up', () =>
    fetch(`${url}/readyz`)
      .then(({ ok }) => ok)
      .catch(() => false),
  )
  await until('a line to be dropped', async () => {
    expect(new Set(await getOften(`${url}/livez`))).toEqual(new Set([200]))
    return ((await scrape(url)).sum(dropped) ?? 0) > 0
  })
  await sendBodies(env, bodies)
  await until(
    'every order to be counted',
    async () => z.object({ total_orders: z.int() }).parse(await (await fetch(`${url}/stats/global`)).json()),
    ({ total_orders }) => total_orders === bodies.length,
  )
  expect(await orders.kill('SIGTERM')).toEqual({ code: 0, signal: null })
}

test('with the disk of the log full, work, /livez and SIGTERM go on, and dropped lines are counted', async () => {
  using log = fullDisk()
  await expectWorkGoesOn(log)
})

test('with a log pipe that no process reads, work, /livez and SIGTERM go on, and dropped lines are counted', async () => {
  using log = unreadPipe()
  await expectWorkGoesOn(log)
})

/** `orders run` with a log file that may not grow beyond 4 KB. */
function spawnLimited(env: Record<string, string>, log: number): ChildProcess {
  const cli = fileURLToPath(new URL('../../src/ops/orders.js', import.meta.url))
  const limited = 'ulimit -f 8; exec "$@"' // in blocks of 512 bytes
  const child = spawn('/bin/sh', ['-c', limited, 'sh', process.execPath, cli, 'run', 'api'], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'ignore', log],
  })
  killOnExit(child)
  return child
}

test('a log that had no room goes on in whole lines when it has, and says how many are missing', async () => {
  await using redis = await emptyRedis()
  const folder = mkdtempSync(join(tmpdir(), 'orders-test-log-'))
  using _ = removeOnExit(folder)
  const file = join(folder, 'log')
  const log = openSync(file, 'a')
  const port = await freePort()
  const child = spawnLimited(envOf(redis.url, undefined, { LOG_LEVEL: 'debug', API_PORT: `${port}` }), log)
  closeSync(log)
  const url = `http://127.0.0.1:${port}`
  await until('the API to be up', () =>
    fetch(`${url}/readyz`)
      .then(({ ok }) => ok)
      .catch(() => false),
  )
  const full = await until(
    'a line to be dropped',
    async () => {
      await getOften(`${url}/livez`)
      return (await scrape(url)).sum(dropped)
    },
    (lines = 0) => lines > 0,
  )
  const before = readFileSync(file, 'utf8')
  expect(before.length).toBe(4_096) // the last line was cut in the middle
  truncateSync(file)
  const after = await until(
    'the log to go on',
    async () => {
      await fetch(`${url}/livez`)
      return readFileSync(file, 'utf8')
    },
    (text) => text.includes('logBack'),
  )
  const lines = (before + after)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.filter(({ msg }) => msg === 'logBack')).toMatchObject([{ level: 40 }])
  const [{ lines: missing }] = lines.filter(({ msg }) => msg === 'logBack')
  expect(missing).toBeGreaterThanOrEqual(full ?? 0)
  expect((await scrape(url)).sum(dropped)).toBe(missing)
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  expect(await exit).toEqual([0, null])
})

test('the last lines before an end are in a log whose reader is slow', async () => {
  await using redis = await emptyRedis()
  const port = await freePort()
  await using orders = spawnOrders(
    ['run', 'api'],
    envOf(redis.url, undefined, { API_PORT: `${port}`, LOG_LEVEL: 'debug' }),
  )
  await orders.started()
  const reader = orders.child.stderr
  reader?.pause()
  const url = `http://127.0.0.1:${port}`
  for (let batch = 0; batch < 6; batch++) await getOften(`${url}/livez`)
  const ended = orders.kill('SIGTERM')
  await until('its API to be gone', () =>
    fetch(url)
      .then(() => false)
      .catch(() => true),
  )
  reader?.resume()
  expect(await ended).toEqual({ code: 0, signal: null })
  expect(orders.events('request').length).toBe(1_500)
  expect(orders.events('stopped')).toHaveLength(1)
})
