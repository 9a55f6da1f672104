import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { type Config, readConfig } from '../../../../src/config/config.ts'
import { openQueue } from '../../../../src/ingest/sqs/queue.ts'
import { openLocal } from '../../../../src/ops/local/emulators.ts'
import { shutDownOrphan } from '../../../../src/ops/local/redis-server.ts'
import { claimDataDir, readRunning, register, withRunning } from '../../../../src/ops/local/running-system.ts'
import { killOnExit } from '../../../support/on-exit.ts'
import { spawnRedisServer } from '../../../support/redis-server.ts'
import { requireRedisServer } from '../../../support/requires.ts'

let parent: string
let folder: string
let config: Config
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'orders-test-data-'))
  folder = join(parent, '.data')
  config = readConfig({ DATA_DIR: folder })
  const umask = process.umask(0o022) // what most systems have, whatever this one has
  onTestFinished(() => void process.umask(umask))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(parent, { recursive: true, force: true })
})

/** Path below the data folder, itself as a dot, with the mode of each in octal. */
function modes(): Record<string, string> {
  const names = ['.', ...readdirSync(folder, { recursive: true, encoding: 'utf8' })]
  return Object.fromEntries(names.map((name) => [name, (lstatSync(join(folder, name)).mode & 0o777).toString(8)]))
}

function expectClosed(): void {
  const modeOf = (name: string): string => (lstatSync(join(folder, name)).isDirectory() ? '700' : '600')
  expect(Object.entries(modes()).filter(([name, mode]) => mode !== modeOf(name))).toEqual([])
}

test('a local Redis has its password in its URL, and none of REDIS_PASSWORD_FILE', async (context) => {
  requireRedisServer(context)
  const given = { ...config, awsEndpointUrl: 'http://127.0.0.1:1', redisPasswordFile: '/password' }
  await using local = await openLocal(given, folder, () => {})
  expect(local.config.redisPasswordFile).toBeUndefined()
  expect(new URL(local.config.redisUrl ?? '').password).not.toBe('')
})

test('the URL of a queue is right after a restart, unless another has taken the port', async () => {
  const withoutRedis = { ...config, redisUrl: 'redis://127.0.0.1:1' }
  const start = async (): Promise<{ queueUrl: string; endpoint: string }> => {
    await using local = await openLocal(withoutRedis, folder, () => {})
    using queue = await openQueue(local.config)
    return { queueUrl: queue.url, endpoint: local.config.awsEndpointUrl ?? '' }
  }
  const portIn = (url: string): number => Number(new URL(url).port)
  const [first, second] = [await start(), await start()]
  expect([second, portIn(second.queueUrl)]).toEqual([first, portIn(first.endpoint)])
  const other = createServer().listen(portIn(first.endpoint), '127.0.0.1')
  onTestFinished(() => void other.close())
  await once(other, 'listening')
  const third = await start()
  expect(portIn(third.endpoint)).not.toBe(portIn(first.endpoint))
  other.close()
  await once(other, 'close')
  expect(await start()).toEqual(first)
})

describe('the files of orders start', () => {
  test('are open to their owner alone, also where the folder was open to all before', async (context) => {
    requireRedisServer(context)
    mkdirSync(join(folder, 'redis', 'appendonlydir'), { recursive: true, mode: 0o755 })
    writeFileSync(join(folder, 'redis', 'dump.rdb.old'), '', { mode: 0o644 })
    writeFileSync(join(folder, 'running.json'), '{}', { mode: 0o644 })
    using claim = claimDataDir(config)
    await using local = await openLocal(config, folder, (redisUrl) => register(folder, { redisUrl }))
    register(folder, local.config)
    const found = Object.keys(modes())
    expect(found).toEqual(expect.arrayContaining(['running.json', join('redis', 'appendonlydir'), 'sqs']))
    expect(found.some((name) => name.endsWith('.aof'))).toBe(true)
    expect(found.some((name) => name.startsWith(join('sqs', 'fauxqs.db')))).toBe(true)
    expectClosed()
    expect(claim.notes).toEqual([])
  })

  test('in a folder that holds files of others leave its mode, and are closed themselves', () => {
    mkdirSync(join(folder, 'sqs'), { recursive: true, mode: 0o755 })
    writeFileSync(join(folder, 'notes.txt'), '', { mode: 0o644 })
    using claim = claimDataDir(config)
    expect(modes()).toEqual({
      '.': '755',
      'notes.txt': '644',
      sqs: '700',
      'running.json': '600',
      'running.lock': '600',
    })
    expect(claim.notes).toEqual([])
  })

  test('keep what their owner may do with them', () => {
    mkdirSync(join(folder, 'redis', 'bin'), { recursive: true, mode: 0o755 })
    writeFileSync(join(folder, 'redis', 'bin', 'start.sh'), '', { mode: 0o755 })
    using _ = claimDataDir(config)
    expect(modes()['redis/bin/start.sh']).toBe('700')
  })

  test('that a link leads to are left as they are, and are said to be open', () => {
    const elsewhere = join(parent, 'elsewhere')
    mkdirSync(elsewhere, { mode: 0o755 })
    mkdirSync(folder)
    symlinkSync(elsewhere, join(folder, 'sqs'))
    using claim = claimDataDir(config)
    const open = `${join(folder, 'sqs')} (a link, whose target is left as it is)`
    expect(claim.notes).toEqual([
      `Files  Other users of this machine can read ${open}: set DATA_DIR to a folder of your own.`,
    ])
    expect(lstatSync(elsewhere).mode & 0o777).toBe(0o755)
  })
})

describe('the redis-server of orders start', () => {
  test('has a password, which neither its arguments nor the notes show', async (context) => {
    requireRedisServer(context)
    folder = join(parent, 'da ta "quoted" \\ \u0085')
    await using local = await openLocal({ ...config, awsEndpointUrl: 'http://127.0.0.1:1' }, folder, () => {})
    const { port, password } = new URL(local.config.redisUrl ?? '')
    expect(password).toMatch(/^[0-9a-f]{32}$/)
    await using stranger = connection(`redis://127.0.0.1:${port}`)
    await expect(stranger.redis.get('global:stats')).rejects.toThrow('NOAUTH')
    await using own = connection(local.config.redisUrl ?? '')
    expect(await own.redis.config('GET', 'dir')).toEqual(['dir', join(folder, 'redis')])
    const pid = /process_id:(\d+)/.exec(await own.redis.info('server'))?.[1]
    const shown = [readFileSync(`/proc/${pid}/cmdline`, 'utf8'), ...local.notes].join('\n')
    expect(shown).toContain(`127.0.0.1:${port}`)
    expect(shown).not.toContain(password)
  })

  test('that a killed system left is shut down with its password; one with other data is not', async (context) => {
    requireRedisServer(context)
    mkdirSync(join(folder, 'redis'), { recursive: true })
    await using server = await spawnRedisServer('--dir', join(folder, 'redis'))
    if (!server) throw new Error('no redis-server')
    await using admin = connection(server.url)
    await admin.redis.config('SET', 'requirepass', 'secret')
    const url = server.url.replace('//', '//:secret@')
    await shutDownOrphan(url, parent)
    await using own = connection(url)
    expect(await own.redis.ping()).toBe('PONG')
    const closed = once(own.redis, 'close')
    await shutDownOrphan(url, folder)
    await closed
  })

  test.each([
    ['5.0.14', 'Redis server v=5.0.14 sha=00000000:0 malloc=libc bits=64 build=1', 0],
    ['2.4.10', 'Redis server version 2.4.10 (00000000:0)', 0],
    ['broken', 'error while loading shared libraries', 126],
  ])('is none where the one on the PATH is %s: the emulator comes instead, and says why', async (_, output, code) => {
    writeFileSync(join(parent, 'redis-server'), `#!/bin/sh\necho '${output}'\nexit ${code}\n`, { mode: 0o755 })
    vi.stubEnv('PATH', parent)
    await using local = await openLocal({ ...config, awsEndpointUrl: 'http://127.0.0.1:1' }, folder, () => {})
    const version = /\d\.\d\.\d+/.exec(output)?.[0]
    const why = version === undefined ? 'does not run' : `is ${version}, which is too old`
    expect(local.notes).toEqual([expect.stringContaining(`in-process emulator`)])
    expect(local.notes[0]).toContain(`(redis-server on the PATH ${why}: install Redis 7.0 or newer for more)`)
  })
})

describe('the claim of a data folder', () => {
  const refusal = (pid: number | undefined): string =>
    `A system already runs here (process ${pid}): stop it, or set DATA_DIR to another folder.`

  test('refuses a second one until it is disposed, and other commands find what it wrote as long', () => {
    {
      using _ = claimDataDir(config)
      register(folder, { awsEndpointUrl: 'http://127.0.0.1:1', redisUrl: 'redis://:secret@127.0.0.1:2' })
      expect(() => claimDataDir(config)).toThrow(refusal(process.pid))
      expect(withRunning(config)).toMatchObject({
        awsEndpointUrl: 'http://127.0.0.1:1',
        redisUrl: 'redis://:secret@127.0.0.1:2',
      })
      // REDIS_PASSWORD_FILE is of another Redis.
      expect(withRunning({ ...config, redisPasswordFile: '/password' }).redisPasswordFile).toBeUndefined()
      const named = { ...config, redisUrl: 'redis://127.0.0.1:3', redisPasswordFile: '/password' }
      expect(withRunning(named)).toMatchObject({ redisUrl: named.redisUrl, redisPasswordFile: '/password' })
    }
    expect(readRunning(folder)).toBeUndefined()
    expect(withRunning(config)).toEqual(config)
    using _ = claimDataDir(config)
  })

  test('ends with its process, however that ends, and what it had left running is known', async () => {
    const registry = new URL('../../../../src/ops/local/running-system.ts', import.meta.url).href
    const script = `import { claimDataDir, register } from '${registry}'
      globalThis.claim = claimDataDir({ dataDir: ${JSON.stringify(folder)} })
      register(${JSON.stringify(folder)}, { redisUrl: 'redis://127.0.0.1:2' })
      console.log('claimed')
      setInterval(() => {}, 1000)`
    const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    killOnExit(holder)
    await once(holder.stdout, 'data')
    expect(() => claimDataDir(config)).toThrow(refusal(holder.pid))
    expect(withRunning(config).redisUrl).toBe('redis://127.0.0.1:2')
    const exit = once(holder, 'exit')
    holder.kill('SIGKILL')
    await exit
    expect(withRunning(config)).toEqual(config)
    using claim = claimDataDir(config)
    expect(claim.left).toEqual({ pid: holder.pid, redisUrl: 'redis://127.0.0.1:2' })
  })

  const left = (redisUrl: string, pid = process.ppid): string => JSON.stringify({ pid, redisUrl, folder: 'elsewhere' })
  test.each([
    ['the id of another process that lives', left('redis://127.0.0.1:1')],
    ['the nodes of a cluster', left('redis://127.0.0.1:1,redis://127.0.0.1:2', 99_999_999)],
    ['an address without a port', left('redis://', 99_999_999)],
    ['a port that there is not', left('redis://127.0.0.1:99999', 99_999_999)],
    ['a socket', left('unix:///nowhere/redis.sock', 99_999_999)],
    ['no URL at all', left('%%% not a URL', 99_999_999)],
    ['half of its JSON', left('redis://127.0.0.1:1').slice(0, 20)],
    ['other JSON', '[null]'],
    ['a pid that is no number', '{"pid":"1e99"}'],
    ['nothing', ''],
    ['bytes', Buffer.from([0xff, 0xfe, 0, 1, 2])],
    ['more than it ever holds', Buffer.alloc(1_000_000, '[')],
  ])('is not refused where running.json of a killed system holds %s', async (_, content) => {
    mkdirSync(folder)
    writeFileSync(join(folder, 'running.json'), content)
    expect(withRunning(config)).toEqual(config)
    await startOver()
  })

  test('is not refused where running.json is a folder, which is moved aside, or names itself', async () => {
    mkdirSync(join(folder, 'running.json', 'in it'), { recursive: true })
    await startOver()
    expect(readdirSync(folder).filter((name) => /^running\.json\.\d+$/.test(name))).toHaveLength(1)
    symlinkSync('running.json', join(folder, 'running.json'))
    await startOver()
  })

  test('is not refused where a program has written to the lock itself', async () => {
    mkdirSync(folder)
    writeFileSync(join(folder, 'running.lock'), 'x'.repeat(200))
    await startOver()
  })

  /** Claims the folder, ends what was left, and is found. */
  async function startOver(): Promise<void> {
    using claim = claimDataDir(config)
    if (claim.left?.redisUrl) await shutDownOrphan(claim.left.redisUrl, claim.left.folder ?? folder)
    register(folder, { redisUrl: 'redis://127.0.0.1:3' })
    expect(withRunning(config).redisUrl).toBe('redis://127.0.0.1:3')
  }

  test('does not write where a link in the place of the lock leads to', () => {
    const victim = join(parent, 'of-others')
    mkdirSync(folder)
    writeFileSync(victim, 'not to be written')
    symlinkSync(victim, join(folder, 'running.lock'))
    expect(() => claimDataDir(config)).toThrow('is not a file')
    expect(readFileSync(victim, 'utf8')).toBe('not to be written')
  })

  test('is not held up by another server at the address of the one that was left', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    onTestFinished(() => void silent.close())
    await once(silent, 'listening')
    const address = silent.address()
    const port = typeof address === 'object' ? address?.port : 0
    await shutDownOrphan(`redis://:secret@127.0.0.1:${port}`, folder)
  })
})

function connection(url: string): { redis: Redis } & AsyncDisposable {
  const redis = new Redis(url, { retryStrategy: () => null, maxRetriesPerRequest: 0 })
  redis.on('error', () => {})
  return { redis, [Symbol.asyncDispose]: async () => redis.disconnect() }
}
