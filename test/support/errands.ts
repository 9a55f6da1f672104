import type { Redis } from 'ioredis'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { adminErrands, boardErrands, jobErrands, metricsErrands, readingErrands } from './api-errands.ts'
import { fillDeadLetters } from './dead-letters.ts'
import { type OrdersProcess, spawnOrders } from './process.ts'
import { type OrdersRun, runOrders } from './run-orders.ts'
import { sendBodies } from './send.ts'
import { until } from './until.ts'
import type { Env } from './world.ts'

export type Actor = 'bridge' | 'stages' | 'jobs' | 'api' | 'operator'

/** The environment of a process that is this actor. */
export type EnvFor = (actor: Actor, more?: Env) => Env

/** Starts roles as an actor; they end with the errands. */
export interface Starter {
  run(actor: Actor, roles: readonly string[]): Promise<OrdersRun>
  /** In a process of its own, to be killed. */
  spawn(actor: Actor, roles: readonly string[]): Promise<OrdersProcess>
}

const stages = ['validate', 'aggregate', 'leaderboard']
const quick: Env = {
  JOB_VERDICT_MS: '700',
  JOB_LOCK_MS: '1000',
  STOP_GRACE_MS: '300',
  METRICS_PORT: '0',
  SQS_VISIBILITY_TIMEOUT_SECONDS: '5', // the emulator hands messages to the last poll of a bridge that has ended
  BRIDGE_POLLERS: '1',
  CLAIM_IDLE_MS: '500',
}

/**
 * Does everything that there is to do on an empty Redis, each part of it as its own actor.
 * @param admin a connection that may do all, to see what has come of it
 * @returns what went otherwise than it should have
 */
export async function runErrands(envFor: EnvFor, admin: Redis): Promise<string[]> {
  const env: EnvFor = (actor, more = {}) => envFor(actor, { ...quick, ...more })
  await takeIn(env, admin)
  await fillDeadLetters(env('operator'), bodies(10, 0))
  const complaints = await withAllRoles(env, async (url, starter) => {
    await allJudged(url)
    return [
      ...(await jobErrands(url, starter)),
      ...(await readingErrands(url)),
      ...(await boardErrands(url)),
      ...(await adminErrands(url)),
      ...(await commandErrands(env, admin)),
    ]
  })
  const split: EnvFor = (actor, more = {}) => env(actor, { PARTITIONS: '2', ...more })
  const moved = await run(env('operator'), ['repartition', '--to', '2'])
  const shared = await withAllRoles(split, async (url) => {
    await sendBodies(env('operator'), bodies(20, 4))
    await allJudged(url)
    return [...(await readingErrands(url)), ...(await run(split('operator'), ['verify', '--deep']))]
  })
  return [...complaints, ...moved, ...shared, ...(await run(split('operator'), ['repartition', '--to', '1']))]
}

let seed = 0
function bodies(valid: number, invalid: number): string[] {
  return [...sampleOrders({ valid, invalid, users: 20, seed: seed++ })].map(({ body }) => body)
}

/** Bridges that make sure of their writes, each in its own way. */
async function takeIn(env: EnvFor, admin: Redis): Promise<void> {
  for (const [at, after] of ['write', 'fsync', 'replicas:1'].entries()) {
    await sendBodies(env('operator'), bodies(20, 8))
    await using bridge = runOrders(['run', 'bridge'], env('bridge', { SQS_DELETE_AFTER: after }))
    await bridge.started()
    await until(
      'orders to be received',
      async () => Number(await admin.hget('pipeline:counters', 'received')),
      (received) => received >= 28 * (at + 1),
    )
    await bridge.stop()
  }
}

async function allJudged(url: string): Promise<void> {
  await until(
    'all orders to be judged',
    async () => (await fetch(`${url}/integrity`)).json() as Promise<{ received: number; waiting: number }>,
    ({ received, waiting }) => received > 0 && waiting === 0,
  )
}

/** Runs every role but the jobs; a process of the stages is killed before, with what it has read. */
async function withAllRoles(
  env: EnvFor,
  work: (url: string, starter: Starter) => Promise<string[]>,
): Promise<string[]> {
  await using stack = new AsyncDisposableStack()
  const started = async <T extends OrdersRun>(running: T): Promise<T> => {
    stack.use(running)
    await running.started()
    return running
  }
  const starter: Starter = {
    run: (actor, roles) => started(runOrders(['run', ...roles], env(actor))),
    spawn: (actor, roles) => started(spawnOrders(['run', ...roles], env(actor))),
  }
  await (await starter.spawn('stages', stages)).kill('SIGKILL')
  const bridge = await starter.run('bridge', ['bridge'])
  const staging = await starter.run('stages', stages)
  const api = await starter.run('api', ['api'])
  const answers = await work(await api.apiUrl(), starter)
  const scraped = await Promise.all([bridge, staging].map(async (running) => metricsErrands(await running.apiUrl())))
  const failed = [bridge, staging, api].flatMap((running) =>
    ['loopFailed', 'requestFailed', 'jobFailed', 'bridgeFailed'].flatMap((name) => running.events(name)),
  )
  // On a busy disk an fsync takes longer than one confirmation waits: the next one follows.
  const wrong = failed.filter(({ error }) => !`${error}`.includes('(not on its disk)'))
  const ends = await Promise.all([bridge, staging, api].map((running) => running.stop()))
  const bad = ends.filter(({ code }) => code !== 0)
  return [...answers, ...scraped.flat(), ...[...wrong, ...bad].map((one) => JSON.stringify(one))]
}

/** Does what an operator does at a terminal. */
async function commandErrands(env: EnvFor, admin: Redis): Promise<string[]> {
  await admin.hset('pipeline:incidents', 'data:', JSON.stringify(incident))
  await admin.hincrby('global:stats', 'total_orders', 1)
  const reading = [
    'status --json',
    'trace no-such-order --user user_1',
    'trace no-such-order',
    'top --by orders',
    'audit',
    'jobs',
    'invalid --code malformed-json',
    'user user_1',
  ]
  const doing = ['verify --acknowledge --repair', 'pause validate', 'resume validate', 'drain', 'resume bridge']
  const all = (lines: readonly string[]) => Promise.all(lines.map((line) => run(env('operator'), line.split(' '))))
  const complaints = (await all(reading)).flat()
  for (const line of [
    ...doing,
    'adopt --yes',
    'replay 2 --dry-run --wait',
    'dlq',
    'dlq redrive --dry-run',
    'doctor operator',
  ])
    complaints.push(...(await all([line])).flat())
  await using tail = runOrders(['tail', '--json'], env('operator'))
  await until('tail to show the line', () => tail.stdout() !== '' || tail.stderr() !== '')
  return [...complaints, ...(tail.stderr() === '' ? [] : [tail.stderr()])]
}

const incident = { kind: 'data', place: '', ts: '2026-01-01T00:00:00.000Z', orders: 1, text: 'It was emptied.' }

/** @returns what the command complained of */
async function run(env: Env, words: readonly string[]): Promise<string[]> {
  await using command = runOrders(words, env)
  const { code } = await command.exit()
  return code === 0 ? [] : [`orders ${words.join(' ')}: ${command.stdout()}${command.stderr()}`]
}
