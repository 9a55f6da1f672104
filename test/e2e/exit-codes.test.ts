import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { errorCodes, exitCodes, OrdersError } from '../../src/errors.ts'
import { runCommand } from '../../src/ops/cli.ts'
import { endingOf } from '../../src/ops/ending.ts'
import { temporaryFolder } from '../../src/ops/process/whole-system.ts'
import { spawnOrders } from '../support/process.ts'
import { freePort } from '../support/redis-server.ts'
import { until } from '../support/until.ts'
import { type Env, emptyRedis, emptySqs, envOf } from '../support/world.ts'

async function codeOf(env: Env, ...args: string[]): Promise<number | null> {
  await using orders = spawnOrders(args, env)
  return (await orders.exit()).code
}

test('a command that has done its work, or whose answer is yes, ends with 0', async () => {
  await using redis = await emptyRedis()
  const env = envOf(redis.url)
  expect([await codeOf(env, 'status'), await codeOf(env, 'verify'), await codeOf(env, '--help')]).toEqual([0, 0, 0])
})

test('a command whose answer is no ends with 1, and so does one that fails for another reason', async () => {
  await using redis = await emptyRedis()
  const env = envOf(redis.url)
  await redis.redis.hset('pipeline:counters', { received: 3 })
  expect(await codeOf(env, 'verify')).toBe(1)
  await redis.redis.hset('pipeline:manifest', { LEDGER_DAYS: 14, LEDGER_BUCKETS: 65_536 })
  expect(await codeOf({ ...env, LEDGER_DAYS: '7' }, 'status')).toBe(1)
  expect(await codeOf({ REDIS_PORT: 'abc' }, 'verify')).toBe(1)
})

test('wrong usage ends with 2', async () => {
  for (const args of [['dance'], ['verify', '--loud'], ['drain', '--timeout', 'soon'], ['trace'], ['run', 'cook']])
    expect([args, await codeOf({}, ...args)]).toEqual([args, 2])
})

test('Redis or SQS that cannot be reached ends with 3', async () => {
  await using redis = await emptyRedis()
  const port = await freePort()
  const nowhere = envOf(`redis://127.0.0.1:${port}`)
  for (const args of [['status'], ['verify'], ['drain'], ['top'], ['replay', '5'], ['run', 'validate']])
    expect([args, await codeOf(nowhere, ...args)]).toEqual([args, 3])
  const withoutSqs = envOf(redis.url, { url: `http://127.0.0.1:${port}`, queueName: 'orders' })
  for (const args of [['populate'], ['run', 'bridge']])
    expect([args, await codeOf(withoutSqs, ...args)]).toEqual([args, 3])
})

const signals = [
  ['SIGHUP', 129],
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const

test.each(signals)('%s ends a command that watches with %i, and a role with 0', async (signal, code) => {
  await using redis = await emptyRedis()
  const env = envOf(redis.url)
  await using watching = spawnOrders(['status', '--watch', '--json'], env)
  await using role = spawnOrders(['run', 'validate'], env)
  await Promise.all([until('a status', () => watching.stdout() !== ''), role.started()])
  expect(await watching.kill(signal)).toEqual({ code, signal: null })
  expect(watching.stderr()).toBe('')
  expect(await role.kill(signal)).toEqual({ code: 0, signal: null })
})

test('a service that fails ends with its error, although a signal comes before it has stopped', async () => {
  await using redis = await emptyRedis()
  await using sqs = await emptySqs()
  await using folder = await temporaryFolder()
  const stop = new AbortController()
  const failing = runCommand(['start'], {
    readEnv: () => envOf(redis.url, sqs, { DATA_DIR: folder.path }),
    signal: stop.signal,
    print: () => {
      stop.abort('SIGTERM')
      throw new OrdersError('ORD_STUCK', 'The loop validate has made no progress for a minute.')
    },
    stdout: { write: () => {} },
    fail: () => {},
    openLog: () => ({ write: () => {}, dropped: () => 0, [Symbol.dispose]: () => {} }),
  })
  const error = await failing.catch((thrown: unknown) => thrown)
  expect(endingOf(error, stop.signal)).toEqual({
    exitCode: 1,
    lines: ['The loop validate has made no progress for a minute.'],
  })
})

test('a reader that closes the output, as head does, ends a command with 0', async () => {
  await using redis = await emptyRedis()
  const cli = fileURLToPath(new URL('../../src/ops/orders.js', import.meta.url))
  const tail = spawn(process.execPath, [cli, 'tail', '--json'], {
    env: { PATH: process.env['PATH'], ...envOf(redis.url) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = once(tail, 'close')
  let errors = ''
  tail.stderr.on('data', (chunk) => {
    errors += chunk
  })
  await once(tail.stdout, 'data')
  tail.stdout.destroy()
  expect([await ended, errors]).toEqual([[0, null], ''])
})

test('each error code has an exit code that the overview explains', async () => {
  await using overview = spawnOrders(['--help'], {})
  await overview.exit()
  for (const [code, meaning] of Object.entries(exitCodes)) expect(overview.stdout()).toContain(`${code}  ${meaning}`)
  const used = Object.values(errorCodes).map(({ exitCode }) => exitCode)
  expect(new Set(used)).toEqual(new Set([1, 2, 3, undefined]))
})
