import { Redis } from 'ioredis'
import { describe, expect, type TestContext, test } from 'vitest'
import { readConfig } from '../../src/config/config.ts'
import { keyPatterns } from '../../src/keys.ts'
import { examineRedis } from '../../src/ops/checks/checks.ts'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { allow, rulesFor } from '../../src/ops/rights/acl.ts'
import { type Actor, actors, extrasOf, nameIn, neededBy, newerExtrasOf } from '../../src/ops/rights/commands.ts'
import { type EnvFor, runErrands } from '../support/errands.ts'
import { send } from '../support/jobs.ts'
import { openRecorder } from '../support/redis-recorder.ts'
import { spawnRedisServer } from '../support/redis-server.ts'
import { requireRedisServer } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { until } from '../support/until.ts'
import { hasWaitAof } from '../support/waitaof.ts'
import { appOn, emptySqs, envOf } from '../support/world.ts'

const bare = { cluster: false, partitioned: false }

async function ownRedis(context: TestContext) {
  requireRedisServer(context)
  const server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  const admin = new Redis(server.url)
  const close = async (): Promise<void> => {
    admin.disconnect()
    await server[Symbol.asyncDispose]()
  }
  const addUser = (name: string, rules: readonly string[]) =>
    admin.call('ACL', 'SETUSER', name, 'reset', 'on', '>secret', ...rules)
  const urlOf = (name: string, port = server.port): string => `redis://${name}:secret@127.0.0.1:${port}`
  const refused = async (): Promise<string[]> => {
    const log = (await admin.call('ACL', 'LOG')) as string[][]
    return log.map((entry) => `${entry[9]}: ${entry[3]} ${entry[7]}`)
  }
  return { admin, port: server.port, addUser, urlOf, refused, [Symbol.asyncDispose]: close }
}

test('every role and command does all it can do as its own user with the rights of docs/redis-rights.md', {
  timeout: 600_000,
}, async (context) => {
  await using redis = await ownRedis(context)
  await using sqs = await emptySqs()
  await using recorder = await openRecorder(redis.port)
  const isNewer = await hasWaitAof(redis.admin)
  const newer = (actor: Actor): string[] => (isNewer ? newerExtrasOf([actor]) : [])
  const urls = new Map<Actor, string>()
  for (const actor of actors) {
    const both = keyPatterns(true).map((pattern) => `~${pattern}`) // before a repartition, and after
    await redis.addUser(actor, [...rulesFor([actor], bare), ...both, ...newer(actor).map(allow)])
    urls.set(actor, redis.urlOf(actor, await recorder.portFor(actor)))
  }
  const envFor: EnvFor = (actor, more = {}) => envOf(urls.get(actor) ?? '', sqs, more)
  const complaints = await runErrands(envFor, redis.admin)
  expect(await redis.refused()).toEqual([])
  expect(complaints).toEqual([])
  for (const actor of actors) {
    const allowed = [...neededBy([actor]), ...extrasOf([actor]), ...newer(actor)].map(nameIn)
    const recorded = await recorder.commandsOf(actor)
    expect(recorded.length).toBeGreaterThan(15)
    expect([actor, recorded.filter((command) => ![...allowed, 'HELLO', 'AUTH', 'ACL'].includes(command))]).toEqual([
      actor,
      [],
    ])
  }
})

test('a user without one command that a role needs: doctor names it', async (context) => {
  await using redis = await ownRedis(context)
  for (const [role, actor, command] of [
    ['bridge', 'bridge', 'hexists'],
    ['validate', 'stages', 'xinfo|consumers'],
    ['jobs', 'jobs', 'bzpopmin'],
    ['api', 'api', 'zrevrank'],
    ['operator', 'operator', 'zscan'],
  ] as const) {
    await redis.addUser(
      actor,
      rulesFor([actor], bare).filter((rule) => rule !== `+${command}`),
    )
    const client = new Redis(redis.urlOf(actor))
    const findings = await examineRedis(appOn(client), [role])
    client.disconnect()
    expect(findings.filter(({ level }) => level === 'error')).toEqual([
      {
        check: 'commands',
        level: 'error',
        found: `user ${actor} may not use ${command}`,
        advice: 'Allow them with ACL SETUSER: orders doctor --acl prints the line.',
      },
    ])
  }
})

test('doctor --acl prints lines that Redis takes', async (context) => {
  await using redis = await ownRedis(context)
  for (const more of [{}, { PARTITIONS: '4' }]) {
    await using doctor = runOrders(['doctor', '--acl'], envOf(redis.urlOf('stranger'), undefined, more))
    expect((await doctor.exit()).code).toBe(0)
    const [lines = []] = doctor
      .stdout()
      .split('\n\n')
      .map((part) => part.split('\n'))
    expect(lines).toHaveLength(actors.length + 1)
    for (const line of lines) {
      const words = line.split(' ').map((word) => word.replaceAll("'", ''))
      expect(await redis.admin.call(words[0] ?? '', ...words.slice(1))).toBe('OK')
    }
  }
})

describe('a user who may do only what is needed', () => {
  test('works without INFO, CONFIG, ACL and CLIENT; doctor says what cannot be read, and no error', async (context) => {
    await using redis = await ownRedis(context)
    await using sqs = await emptySqs()
    const extras = extrasOf(actors).map(allow)
    await redis.addUser(
      'orders',
      rulesFor(actors, bare).filter((rule) => !extras.includes(rule)),
    )
    const env = envOf(redis.urlOf('orders'), sqs)
    await sendBodies(
      env,
      [...sampleOrders({ valid: 20, invalid: 5, users: 5, seed: 1 })].map(({ body }) => body),
    )
    await using running = runOrders(['run', 'bridge', 'validate', 'aggregate', 'leaderboard', 'jobs', 'api'], env)
    const url = await running.apiUrl()
    await until(
      'all to be judged',
      async () => (await fetch(`${url}/integrity`)).json() as Promise<{ received: number; waiting: number }>,
      ({ received, waiting }) => received === 25 && waiting === 0,
    )
    await using replay = runOrders(['replay', '--wait'], env)
    expect([(await replay.exit()).code, replay.stderr()]).toEqual([1, '']) // they fail again
    expect(replay.stdout()).toMatch(/^sent +5$/m)
    await until('the messages to be deleted', () => sqs.depth() === 0)
    expect(running.stderr()).not.toMatch(/NOPERM|INFO command fails|does not let/)
    expect(running.events('checkWarned').filter(({ check }) => check === 'durability')).toHaveLength(1)
    await using doctor = runOrders(['doctor', '--json'], env)
    expect([(await doctor.exit()).code, doctor.stderr()]).toEqual([0, ''])
    const { checks } = JSON.parse(doctor.stdout()) as { checks: { level: string; check: string; found: string }[] }
    const unread = checks.filter(({ found }) => found === 'cannot be read').map(({ check }) => check)
    expect(unread).toEqual(expect.arrayContaining(['redis version', 'commands', 'eviction', 'memory', 'replication']))
    expect(checks.filter(({ level }) => level === 'error')).toEqual([])
    await running.stop()
  })

  test('is not asked for a key that is not used', async (context) => {
    await using redis = await ownRedis(context)
    await redis.addUser('orders', rulesFor(actors, bare))
    expect(rulesFor(actors, bare)).toContain('~{jobs}:*')
    const client = new Redis(redis.urlOf('orders'))
    const findings = await examineRedis(appOn(client, readConfig({ SQS_DELETE_AFTER: 'replicas:1' })), [
      'bridge',
      'validate',
      'api',
      'jobs',
      'operator',
    ])
    client.disconnect()
    expect(findings.find(({ check }) => check === 'commands')).toMatchObject({ level: 'ok' })
  })
})

describe('a refusal of Redis names user, command and key', () => {
  const without = (...rules: string[]): string[] =>
    rulesFor(actors, bare).filter((rule) => !rules.includes(rule) && rule !== '+acl|dryrun')

  test('in a command, in the reply and in the log of the API', async (context) => {
    await using redis = await ownRedis(context)
    const sentence =
      'Redis does not let the user orders use XREVRANGE on orders:invalid: give it the rights of docs/redis-rights.md'
    await redis.addUser('orders', without('+xrevrange', '+xadd'))
    const env = envOf(redis.urlOf('orders'))
    await using api = runOrders(['run', 'api'], env)
    const url = await api.apiUrl()
    const reply = await (await fetch(`${url}/orders/invalid`)).json()
    expect(reply).toMatchObject({ status: 500, detail: `${sentence}.` })
    expect(api.events('requestFailed')).toMatchObject([{ route: '/orders/invalid', error: sentence }])
    const paused = await send(`${url}/orders/replay`, 'POST', {})
    expect(paused.body).toMatchObject({ status: 500, detail: `${sentence}.` })
    await using audit = runOrders(['audit'], env)
    expect((await audit.exit()).code).toBe(1)
    expect(audit.stderr()).toBe(`${sentence.replace('orders:invalid', 'pipeline:audit')}.\n`)
  })

  test('in a script, and in the job that fails by it', async (context) => {
    await using redis = await ownRedis(context)
    await using sqs = await emptySqs()
    await redis.addUser('orders', without('+xdel'))
    const env = envOf(redis.urlOf('orders'), sqs)
    await sendBodies(env, ['{'])
    await using running = runOrders(['run', 'bridge', 'validate', 'jobs', 'api'], env)
    const url = await running.apiUrl()
    const [invalid] = await until(
      'the order to be rejected',
      async () => (await (await fetch(`${url}/orders/invalid`)).json()) as { id: string }[],
      (found) => found.length > 0,
    )
    const sentence =
      'Redis does not let the user orders use XDEL on orders:invalid: give it the rights of docs/redis-rights.md'
    const discard = await send(`${url}/orders/invalid/${invalid?.id}`, 'DELETE', { reason: 'a test' })
    expect(discard.body).toMatchObject({ status: 500, detail: `${sentence}.` })
    await send(`${url}/orders/replay`, 'POST', {})
    const [failed] = await until(
      'the job to fail',
      () => running.events('jobFailed'),
      (found) => found.length > 0,
    )
    expect(failed?.['error']).toBe(sentence)
  })
})
