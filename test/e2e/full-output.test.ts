import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, watch } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { readRunning } from '../../src/ops/local/running-system.ts'
import { fullDisk } from '../support/full-output.ts'
import { removeOnExit } from '../support/on-exit.ts'
import { spawnOrders } from '../support/process.ts'
import { until } from '../support/until.ts'
import { emptyRedis, envOf } from '../support/world.ts'

const sentence =
  'Standard output cannot be written (ENOSPC: no space left on device): make room there, or redirect it elsewhere.\n'

test.each([['status'], ['status', '--json'], ['status', '--watch'], ['--help'], ['--version'], ['top', '--help']])(
  'orders %s > a full disk is one sentence and exit code 1',
  async (...args) => {
    await using redis = await emptyRedis()
    using disk = fullDisk()
    await using orders = spawnOrders(args, envOf(redis.url), { stdout: disk.fd })
    expect([await orders.exit(), orders.stderr()]).toEqual([{ code: 1, signal: null }, sentence])
  },
)

test('output that fits only in part is no success', () => {
  const folder = mkdtempSync(join(tmpdir(), 'orders-test-output-'))
  using _ = removeOnExit(folder)
  const file = join(folder, 'help')
  const output = openSync(file, 'w')
  const cli = fileURLToPath(new URL('../../src/ops/orders.js', import.meta.url))
  const { status, stderr } = spawnSync(
    '/bin/sh',
    ['-c', 'ulimit -f 1; exec "$@"', 'sh', process.execPath, cli, '--help'], // a block of 512 bytes
    { stdio: ['ignore', output, 'pipe'], encoding: 'utf8' },
  )
  closeSync(output)
  expect(readFileSync(file)).toHaveLength(512)
  expect([status, stderr]).toEqual([
    1,
    expect.stringMatching(/^Standard output cannot be written \(EFBIG: [^)]*\): .*\.\n$/),
  ])
})

test('the demo on a full disk ends in order, with the sentence: neither its folder nor its redis-server is left', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'orders-test-output-'))
  using _ = removeOnExit(folder)
  using disk = fullDisk()
  const temporary = join(folder, 'temporary')
  mkdirSync(temporary)
  const made: (string | null)[] = []
  const watcher = watch(temporary, (_, name) => made.push(name)) // it may be there for a moment only
  onTestFinished(() => watcher.close())
  const env = { API_PORT: '0', TMPDIR: temporary }
  await using demo = spawnOrders(['demo'], env, { cwd: folder, stdout: disk.fd })
  expect(await demo.exit()).toEqual({ code: 1, signal: null })
  expect(demo.events('ended')).toMatchObject([{ code: 'ORD_OUTPUT', error: sentence.trimEnd(), exitCode: 1 }])
  await until('its folder to have been there', () => made.some((name) => name?.startsWith('orders-')))
  expect(readdirSync(temporary)).toEqual([])
  expect(readRunning(join(folder, '.data'))).toBeUndefined()
})

test('start goes on when its banner cannot be written: it is a notice, not the work', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'orders-test-output-'))
  using _ = removeOnExit(folder)
  using disk = fullDisk()
  await using system = spawnOrders(['start'], { API_PORT: '0' }, { cwd: folder, stdout: disk.fd })
  const url = await system.apiUrl()
  await system.started()
  expect((await fetch(`${url}/stats/global`)).status).toBe(200)
  expect(await system.kill('SIGTERM')).toEqual({ code: 0, signal: null })
})
