import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadCommands } from '../../src/ops/cli.ts'
import { shutDownOrphan } from '../../src/ops/local/redis-server.ts'
import { readRunning } from '../../src/ops/local/running-system.ts'
import { pointerTo } from '../support/envelopes.ts'
import { listeningAddresses } from '../support/listening.ts'
import { type OrdersProcess, spawnOrders } from '../support/process.ts'
import { spawnRedisServer } from '../support/redis-server.ts'
import { requireRedisServer } from '../support/requires.ts'
import { type Exit, type OrdersRun, runOrders } from '../support/run-orders.ts'
import { until } from '../support/until.ts'
import { emptyRedis, emptySqs, envOf } from '../support/world.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'orders-commands-'))
})
afterEach(async () => {
  // A killed `orders start` may have left a Redis behind if its test failed.
  const left = readRunning(join(folder, '.data'))
  if (left?.redisUrl) await shutDownOrphan(left.redisUrl, left.folder ?? join(folder, '.data'))
  rmSync(folder, { recursive: true, force: true })
})

const demoEnv = { API_PORT: '0' }

async function finished(command: OrdersRun): Promise<string> {
  expect([await command.exit(), command.stderr()]).toEqual([{ code: 0, signal: null }, ''])
  return command.stdout()
}

/** @param ending sends what ends it, which may be more than one signal */
async function demonstrate(
  env: Record<string, string>,
  ending: (demo: OrdersProcess) => Promise<Exit>,
): Promise<string> {
  await using demo = spawnOrders(['demo'], { ...demoEnv, ...env }, { cwd: folder })
  await until(
    'the demo to be done',
    () => demo.stdout(),
    (text) => text.includes('Ctrl-C stops.') || demo.child.exitCode !== null,
  )
  const text = demo.stdout()
  expect(text).toMatch(/^sent to SQS: 1,050 of 1,050( · [\d,]+\/s)?$/m)
  expect(text).toMatch(/^processed: {3}1,050 of 1,050( · [\d,]+\/s)?$/m)
  expect(text).toMatch(/^Global stats: 1,000 orders, [\d,]+\.\d\d revenue$/m)
  expect(text).toMatch(/^Invalid orders: 50$/m)
  expect(text.match(/^ {2}\d\. user_\d+ +[\d,]+\.\d\d$/gm)).toHaveLength(5)
  const reasons = text.match(/^ {2}[a-z-]+ +\d+$/gm)?.map((line) => Number(line.trim().split(/ +/)[1])) ?? []
  expect(reasons.reduce((a, b) => a + b)).toBe(50)
  const api = /^API +(\S+)$/m.exec(text)?.[1] ?? ''
  expect(await (await fetch(api)).json()).toMatchObject({ total_orders: 1_000 })
  const docs = /^Docs +(\S+)$/m.exec(text)?.[1] ?? ''
  expect((await fetch(docs)).status).toBe(200)
  expect(new Set(listeningAddresses(demo.child.pid))).toEqual(new Set(['127.0.0.1']))
  const { folder: data = '' } = readRunning(join(folder, '.data')) ?? {}
  expect(existsSync(data)).toBe(true)
  expect(await ending(demo)).toEqual({ code: 0, signal: null })
  expect(demo.stderr()).toBe('')
  expect(existsSync(data)).toBe(false)
  expect(readRunning(join(folder, '.data'))).toBeUndefined()
  return text
}

test('demo with redis-server: exact numbers, top users, reasons, working URLs, loopback only; a Ctrl-C that npm passes on, so that it comes twice, is one', async (context) => {
  requireRedisServer(context)
  const passedOn = (demo: OrdersProcess): Promise<Exit> => {
    demo.child.kill('SIGINT')
    return demo.kill('SIGINT')
  }
  expect(await demonstrate({}, passedOn)).toMatch('private redis-server at redis://127.0.0.1:')
})

test('demo with nothing but Node: the emulator says what it is, and the numbers are the same', async () => {
  const once = (demo: OrdersProcess): Promise<Exit> => demo.kill('SIGINT')
  expect(await demonstrate({ PATH: folder }, once)).toMatch(
    'in-process emulator, for a first try only: it keeps no data',
  )
})

test('start, run, populate and status find each other; Redis keeps its data; a second start is refused', async (context) => {
  requireRedisServer(context)
  const env = { ...demoEnv, SQS_WAIT_TIME_SECONDS: '1' }
  const data = join(folder, '.data')
  const settled = async (books: string, ranked = 30): Promise<string> => {
    const asked = async (): Promise<string> => {
      await using status = runOrders(['status'], { ...env, DATA_DIR: data })
      return await finished(status)
    }
    return until(
      books,
      asked,
      (text) => new RegExp(`; ${ranked}( records)? ranked;`).test(text) && text.includes(books),
    )
  }
  // As after a kill -9 and a reboot: the id is that of another process now, and the Redis was a cluster.
  mkdirSync(data, { mode: 0o755 })
  const nodes = 'redis://127.0.0.1:1,redis://127.0.0.1:2'
  writeFileSync(join(data, 'running.json'), JSON.stringify({ pid: process.pid, redisUrl: nodes }), { mode: 0o644 })
  {
    await using system = spawnOrders(['start'], env, { cwd: folder })
    await system.started()
    await until('the banner', () => system.stdout().includes('Ctrl-C stops.'))
    const { password } = new URL(readRunning(data)?.redisUrl ?? '')
    expect(password).not.toBe('')
    expect(system.stdout() + system.stderr()).not.toContain(password)
    const entries = ['.', ...readdirSync(data, { recursive: true, encoding: 'utf8' })]
    expect(entries).toEqual(expect.arrayContaining([join('sqs', 'fauxqs.db'), join('redis', 'appendonlydir')]))
    expect(entries.filter((name) => (statSync(join(data, name)).mode & 0o077) !== 0)).toEqual([])
    await using second = runOrders(['start'], { ...env, DATA_DIR: data })
    expect(await second.exit()).toEqual({ code: 1, signal: null })
    expect(second.stderr()).toBe(
      `A system already runs here (process ${system.child.pid}): stop it, or set DATA_DIR to another folder.\n`,
    )
    await using populate = spawnOrders(
      ['populate', '--valid', '30', '--invalid', '7', '--seed', '5', '--rate', '200'],
      env,
      { cwd: folder },
    )
    expect(await finished(populate)).toMatch(
      /Sent 30 valid and 7 invalid orders to orders at http:\/\/127\.0\.0\.1:\d+, seed 5\.\n$/,
    )
    await settled('received 37 = admitted 30 + duplicates 0 + rejected 7 + lost 0 + waiting 0')
    const corrected = ['populate', '--valid', '30', '--invalid', '0', '--corrections', '10%', '--seed', '5']
    await using again = runOrders(corrected, { ...env, DATA_DIR: data })
    expect(await finished(again)).toMatch(/Sent 30 valid and 0 invalid orders, and 3 corrections, to /)
    await settled('admitted 30 + corrected 3 + duplicates 30', 33)
    // Last, because the emulator hands messages to the last poll of a bridge that has ended.
    await using worker = runOrders(['run', 'bridge', 'validate'], { ...env, DATA_DIR: data })
    await worker.started()
    expect(await worker.stop()).toEqual({ code: 0, signal: null })
    await system.kill('SIGKILL') // leaves its redis-server behind
  }
  {
    await using system = spawnOrders(['start'], env, { cwd: folder })
    await system.started()
    await settled('admitted 30 + corrected 3 + duplicates 30 + rejected 7', 33)
    expect(await system.kill('SIGTERM')).toEqual({ code: 0, signal: null })
  }
  await using status = spawnOrders(['status'], env, { cwd: folder })
  expect(await status.exit()).toEqual({ code: 3, signal: null })
  expect(status.stderr()).toMatch(
    /^Redis does not answer at redis:\/\/localhost:6379 \(.*\): start it, set REDIS_URL, or run npm start in this folder with the same DATA_DIR\.\n$/,
  )
})

test('.env of the working folder is read, and the real environment wins', async () => {
  await using redis = await emptyRedis()
  writeFileSync(join(folder, '.env'), `REDIS_URL=${redis.url}\nAPI_PORT=nonsense\nLOG_LEVEL=debug\n`)
  await using status = spawnOrders(['status', '--json'], { API_PORT: '0' }, { cwd: folder })
  expect(JSON.parse(await finished(status))).toMatchObject({ totals: { counted: 0, revenue_minor: 0, invalid: 0 } })
  await using refused = spawnOrders(['status'], {}, { cwd: folder })
  await refused.exit()
  expect(refused.stderr()).toBe('API_PORT is "nonsense": expected a port number from 0 to 65535.\n')
})

test('status --watch shows the status again and again until it is stopped', async () => {
  await using redis = await emptyRedis()
  await using status = runOrders(['status', '--watch', '--json'], envOf(redis.url))
  await until(
    'two of them',
    () => status.stdout().trim().split('\n'),
    (lines) => lines.length >= 2,
  )
  expect(await status.stop()).toEqual({ code: 143, signal: null })
})

test('populate sends what it says, and a queue that is gone is one plain line', async () => {
  await using sqs = await emptySqs()
  const env = envOf('redis://127.0.0.1:1', sqs)
  await using populate = runOrders(['populate', '--valid', '123', '--invalid', '4'], env)
  expect(await finished(populate)).toMatch('Sent 123 valid and 4 invalid orders')
  expect(sqs.depth()).toBe(127)
  await using one = runOrders(['populate', '--body', 'no order at all'], env)
  expect(await finished(one)).toMatch(
    /Sent one message to .* It will be rejected as malformed-json: Malformed JSON\.\n/,
  )
  expect(sqs.depth()).toBe(128)
  await using other = runOrders(['populate', '--body', pointerTo('bucket', 'key')], env)
  expect(await finished(other)).not.toMatch('rejected') // only the bridge reads the object
})

test('each command explains itself', async () => {
  await using overview = runOrders(['--help'], {})
  const text = await finished(overview)
  for (const { name, options } of await loadCommands()) {
    expect(text).toMatch(new RegExp(`^  ${name} `, 'm'))
    await using help = runOrders([name, '--help'], {})
    const reported = await finished(help)
    expect(reported).toMatch(new RegExp(`orders ${name}\\b`)) // the name that calls it is its own
    for (const option of Object.keys(options)) expect(reported).toMatch(`--${option}`)
  }
  await using asked = runOrders(['help', 'trace'], {})
  expect(await finished(asked)).toMatch('orders trace')
})

test('every npm script of the contract exists and runs orders', () => {
  const { scripts } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  for (const name of ['start', 'demo', 'populate', 'replay', 'status']) {
    expect(scripts[name]).toBe(`node src/ops/orders.js ${name}`)
  }
  const onlyPosix = /^exec\b|[$`;|<>']|\w=/ // cmd.exe and PowerShell know none of them
  expect(Object.values<string>(scripts).filter((script) => onlyPosix.test(script))).toEqual([])
})

test('populate without a seed sends new orders each time, and none to AWS unless asked to', async () => {
  await using sqs = await emptySqs()
  const env = envOf('redis://127.0.0.1:1', sqs)
  const seeds: string[] = []
  for (let run = 0; run < 2; run++) {
    await using populate = runOrders(['populate', '--valid', '1', '--invalid', '0'], env)
    seeds.push(/seed (\d+)\./.exec(await finished(populate))?.[1] ?? '')
  }
  expect(seeds[0]).not.toBe(seeds[1])
  await using nowhere = runOrders(['populate'], { DATA_DIR: join(folder, '.data') })
  expect(await nowhere.exit()).toEqual({ code: 1, signal: null })
  expect(nowhere.stderr()).toBe(
    'No system runs in this folder and AWS_ENDPOINT_URL is not set: run npm start first, or use --aws to send sample orders to AWS itself.\n',
  )
})

test('a DATA_DIR that is no folder is one plain line', async () => {
  const file = join(folder, 'file')
  writeFileSync(file, '')
  await using start = runOrders(['start'], { DATA_DIR: file })
  expect(await start.exit()).toEqual({ code: 1, signal: null })
  expect(start.stderr()).toMatch(
    /^DATA_DIR is ".*" and cannot be used \(EEXIST.*\): set it to a folder that can be written to\.\n$/,
  )
})

test('status --watch says that Redis is away, goes on when it is back, and ends at once when asked to', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  await using status = spawnOrders(['status', '--watch', '--json'], envOf(server.url))
  await until('a status', () => status.stdout().includes('counters'))
  await server.stop()
  await until('a word of it', () => status.stderr().includes('Redis does not answer: make sure that it runs.'))
  const before = status.stdout().length
  await server.start()
  await until('a status again', () => status.stdout().length > before)
  await server.stop('SIGKILL')
  expect(await status.kill('SIGINT')).toEqual({ code: 130, signal: null })
})

test('SIGTERM to npm start ends the system, too', async () => {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const npm = spawn('npm', ['start', '--prefix', root], {
    cwd: root,
    env: { ...process.env, DATA_DIR: join(folder, '.data'), API_PORT: '0' },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let output = ''
  npm.stdout.on('data', (chunk) => {
    output += chunk
  })
  await until('the system to be up', () => output.includes('Ctrl-C stops.'))
  const system = readRunning(join(folder, '.data'))?.pid ?? 0
  npm.kill('SIGTERM')
  await until('the system to be gone', () => readRunning(join(folder, '.data')) === undefined)
  await until('its process to be gone', () => !existsSync(`/proc/${system}`))
})

// closed-terminal.test.ts has the same of kill -9.
test('a second Ctrl-C of the demo leaves no redis-server behind', async (context) => {
  requireRedisServer(context)
  await using impatient = spawnOrders(['demo'], demoEnv, { cwd: folder })
  await until('the demo to send', () => impatient.stdout().includes('sent to SQS'))
  const { port } = new URL(readRunning(join(folder, '.data'))?.redisUrl ?? '')
  const isGone = (): Promise<boolean> => {
    const probe = connect(Number(port), '127.0.0.1')
    return new Promise<boolean>((resolve) => {
      probe.once('connect', () => resolve(false)).once('error', () => resolve(true))
    }).finally(() => probe.destroy())
  }
  impatient.child.kill('SIGINT')
  await sleep(600) // what comes at once is the same Ctrl-C, passed on by npm
  await impatient.kill('SIGINT')
  await until('its redis-server to be gone', isGone)
})
