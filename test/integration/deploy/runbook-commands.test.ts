import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { archiveFolder } from '../../support/archive.ts'
import { type Ended, inBackground, inProcess, inShell, isEndless, ordersCall } from '../../support/pages/programs.ts'
import { simpleCommands } from '../../support/pages/shell.ts'
import { spawnRedisServer } from '../../support/redis-server.ts'
import { requirePart, requireRedisServer } from '../../support/requires.ts'
import { type OrdersRun, runOrders } from '../../support/run-orders.ts'
import { head, runbookCommands } from '../../support/runbook.ts'
import * as incidents from '../../support/runbook-incidents.ts'
import { openSqsProxy } from '../../support/sqs-proxy.ts'
import { type Env, emptySqs, envOf } from '../../support/world.ts'

/** Matches the output of a command in the incident; with its exit code if that is not 0. */
type Shows = RegExp | readonly [RegExp, code: number]

interface Section {
  readonly in: incidents.Incident
  /** Of what is in angle brackets in its commands. */
  readonly values?: Readonly<Record<string, string>>
  readonly show: Readonly<Record<string, Shows>>
}

const cli = (command: string): string => `redis-cli -u "$REDIS_URL" ${command}`
const validateGone = incidents.stageGone('validate', 'orders:raw')
const leaderboardGone = incidents.stageGone('leaderboard', 'orders:counted')
const listReplaced = incidents.replaced('invalid_orders')
const balance = /^received .* = admitted/m

/** The incident of each section, in which its commands are run. What leaves most behind comes last. */
const sections: Readonly<Record<string, Section>> = {
  [head]: {
    in: validateGone,
    show: {
      'npx orders status': /No process runs validate\./,
      'npx orders doctor': /\bok +redis\b/i,
      'npx orders verify': balance,
    },
  },
  OrdersProcessDown: {
    in: validateGone,
    show: { 'curl <host>:<port>/livez': /"status":"ok"/, 'npx orders status': /No process runs validate\./ },
  },
  OrdersNoProcess: {
    in: validateGone,
    values: { component: 'validate' },
    show: { 'npx orders status': /No process runs validate\./, 'npx orders run <component>': /"msg":"started"/ },
  },
  OrdersMetricsMissing: {
    in: incidents.roleGone('api'),
    show: {
      'curl <api>/readyz': [/Failed to connect|Could ?n.t connect/, 7],
      'curl <api>/metrics | grep orders_redis_up': [/Failed to connect|Could ?n.t connect/, 1],
      'npx orders status': balance,
    },
  },
  OrdersReadsFailing: {
    in: listReplaced,
    show: {
      'npx orders doctor': [/invalid_orders/, 1],
      'curl <api>/live/snapshot': /"unread":\[[^\]]*invalid/,
      'curl <api>/integrity': /invalid/,
      'npx orders verify --repair': [/invalid_orders/, 1],
    },
  },
  OrdersRedisAway: {
    in: incidents.redisStopped,
    show: {
      'npx orders doctor': [/Redis does not answer/, 1],
      [cli('ping')]: [/Could not connect/, 1],
      [cli('slowlog get 10')]: [/Could not connect/, 1],
    },
  },
  OrdersRedisRefusesWrites: {
    in: incidents.redisSet('min-replicas-to-write', '1'),
    show: { 'curl <api>/readyz': /replica/i },
  },
  OrdersStageStalled: {
    in: validateGone,
    values: { stage: 'validate', stream: 'orders:raw', group: 'validate' },
    show: {
      'npx orders status': /No process runs validate\./,
      [cli('xpending <stream> <group>')]: /^\d+$/m,
      'npx orders run <stage>': /"msg":"started"/,
    },
  },
  OrdersQueueStalled: {
    in: incidents.sqsDenies('ReceiveMessage'),
    show: { 'npx orders doctor': /sqs/i },
  },
  OrdersStuck: {
    in: incidents.replaced('user:user_1', incidents.pendingOrders),
    values: { order: 'r1', key: 'user:user_1' },
    show: {
      'npx orders status': /aggregate/,
      'npx orders trace <order>': /r1/,
      [cli('type <key>')]: /^string$/m,
      'npx orders verify --deep --repair': [/1 users' hashes hold no totals: user_1\./, 1],
    },
  },
  OrdersLagGrows: { in: leaderboardGone, show: { [cli('--latency')]: /^\d/ } },
  OrdersWaitLong: { in: leaderboardGone, show: { 'npx orders status': /No process runs leaderboard\./ } },
  OrdersQueueGrows: { in: incidents.paused, show: { 'npx orders audit': /pause/ } },
  OrdersSlow: { in: leaderboardGone, show: { 'npx orders tail': /wait p50/ } },
  OrdersClockOff: { in: incidents.sqsClock, show: { 'npx orders doctor': /clock of SQS/ } },
  OrdersInvalidShare: {
    in: incidents.wrongOrders,
    values: { number: '5', code: 'missing-field' },
    show: {
      'curl <api>/orders/invalid/summary': /missing-field/,
      'npx orders replay <number> --code <code> --dry-run': /judged (\d+) of \1/,
    },
  },
  OrdersInternalErrors: {
    in: incidents.bug,
    values: { number: '5' },
    show: {
      "curl '<api>/orders/invalid?code=internal-error'": /internal-error/,
      'npx orders replay <number> --code internal-error': /1 order to replay/,
    },
  },
  OrdersIntegrityMismatch: {
    in: incidents.booksChanged,
    show: {
      'npx orders verify': [/global stats/i, 1],
      'npx orders verify --deep': [/global stats/i, 1],
      'npx orders audit': /pause/,
      [cli('acl log')]: /^$/m,
      [cli('bgsave')]: /Background saving started/,
      'npx orders verify --repair': /Repaired/,
    },
  },
  OrdersRedisEvicting: {
    in: incidents.redisSet('maxmemory-policy', 'allkeys-lru'),
    show: {
      'npx orders doctor': [/noeviction/, 1],
      [cli('config get maxmemory-policy')]: /allkeys-lru/,
      [cli('config set maxmemory-policy noeviction')]: /OK/,
    },
  },
  OrdersLost: {
    in: incidents.entriesDeleted,
    show: {
      'npx orders verify': [/Stage leaderboard: 2 orders are missing/, 1],
      [cli('acl log')]: /^$/m,
      [cli('slowlog get 20')]: /xtrim/i,
      [cli('client list')]: /cmd=/,
      'npx orders verify --repair': [/Repaired by the totals of/, 1],
      'npx orders verify --write-off': [/Would be written off as lost: leaderboard 2\./, 1],
    },
  },
  OrdersEntriesLost: {
    in: incidents.entriesDeleted,
    show: { 'npx orders verify': [/2 orders are missing/, 1], [cli('client list')]: /cmd=/ },
  },
  OrdersDeadLetters: {
    in: incidents.deadLetters,
    show: {
      'npx orders doctor': /dead/i,
      'npx orders dlq': /1/,
      'npx orders dlq redrive --dry-run': /1/,
      'npx orders dlq redrive': /1/,
      'npx orders pause bridge': /bridge/,
    },
  },
  OrdersQueueUnreadable: {
    in: incidents.sqsDenies('GetQueueAttributes'),
    show: { 'npx orders doctor': /allow sqs:GetQueueAttributes/ },
  },
  OrdersRedisNearlyFull: {
    in: incidents.memoryFilled,
    show: {
      [cli('--bigkeys')]: /Biggest/,
      'npx orders status': balance,
      'npx orders doctor': /memory/i,
    },
  },
  OrdersBackpressure: { in: incidents.memoryFilled, show: { 'npx orders status': balance } },
  OrdersArchiveFailing: {
    in: incidents.archiveGone,
    show: {
      'npx orders archive': /The archive cannot be written since /,
      'npx orders status': /The archive cannot be written since .* orders? waits?/,
      'npx orders doctor archive': [/error +archive/, 1],
    },
  },
  OrdersLoopFailing: { in: listReplaced, show: { 'npx orders doctor': [/invalid_orders/, 1] } },
  OrdersRestarts: { in: listReplaced, show: { 'npx orders doctor': [/invalid_orders/, 1] } },
  OrdersBridgeFailing: { in: incidents.sqsDenies('ReceiveMessage'), show: { 'npx orders doctor': /sqs/i } },
  OrdersJobsWaiting: { in: incidents.jobWaits, show: { 'npx orders run jobs': /"msg":"started"/ } },
  OrdersLogDropped: {
    in: incidents.none,
    show: { df: /%/, 'npx orders doctor': /\bok +redis\b/i, 'npx orders status': balance },
  },
  OrdersPausedLong: {
    in: incidents.paused,
    values: { component: 'aggregate' },
    show: {
      'curl <api>/admin/pauses': /aggregate/,
      'npx orders audit': /pause/,
      'npx orders resume <component>': /aggregate/,
    },
  },
  // Redis is empty afterwards.
  OrdersIncident: {
    in: incidents.emptied,
    show: { 'npx orders verify': [/emptied/i, 1], 'npx orders verify --acknowledge': /./ },
  },
  OrdersCountersDecreased: { in: incidents.emptied, show: { 'npx orders verify': [/emptied/i, 1] } },
}

test('each command of the runbook is tried in an incident, and redis-cli asks the Redis of the processes', () => {
  const found = runbookCommands()
  const commands = (of: Iterable<readonly [string, readonly string[]]>): string[] =>
    [...of].flatMap(([section, commands]) => commands.map((command) => `${section}: ${command}`)).sort()
  expect(commands(Object.entries(sections).map(([section, { show }]) => [section, Object.keys(show)]))).toEqual(
    commands(found),
  )
  const asking = [...found.values()].flat().filter((command) => command.startsWith('redis-cli'))
  expect(asking.filter((command) => !command.startsWith('redis-cli -u "$REDIS_URL" '))).toEqual([])
})

test('each command of the runbook works as printed, in the incident of its section', async (context) => {
  requireRedisServer(context)
  for (const program of ['redis-cli', 'curl'])
    requirePart(context, spawnSync(program, ['--version']).status === 0, program)
  await using system = await openSystem()
  const complaints: string[] = []
  for (const [section, { in: begin, values = {}, show }] of Object.entries(sections)) {
    const end = await begin(system)
    for (const [command, shows] of Object.entries(show)) {
      const [pattern, expectedCode] = shows instanceof RegExp ? [shows, 0] : shows
      const script = filledIn(command, { api: system.api(), 'host>:<port': system.api(), ...values })
      const asShown = ({ output, code }: Ended): boolean => pattern.test(output) && code === expectedCode
      const ended = await tried(script, system.env, asShown)
      if (!asShown(ended))
        complaints.push(`${section}: ${script}\nended with ${ended.code} and printed\n${ended.output}`)
    }
    await end()
  }
  expect(complaints.join('\n')).toBe('')
})

const filledIn = (command: string, values: Readonly<Record<string, string>>): string =>
  Object.entries(values).reduce((text, [name, value]) => text.replaceAll(`<${name}>`, value), command)

/** A gauge or a pause may be a second late. */
const patienceMs = 5_000

/** Runs a command as a reader does: again, if it only reads, while it does not show the incident yet. */
async function tried(script: string, env: Env, asShown: (ended: Ended) => boolean): Promise<Ended> {
  const call = ordersCall(simpleCommands(script)[0]?.words ?? [])
  const deadline = performance.now() + patienceMs
  if (call && isEndless(call.command, call.args)) {
    await using running = inBackground(call, env)
    const now = (): Ended => ({ output: running.output(), code: 0 })
    while (!asShown(now()) && performance.now() < deadline) await sleep(50)
    return now()
  }
  const once = (): Promise<Ended> => (call ? inProcess(call, env) : inShell(script, tmpdir(), env))
  const reads = !/--repair|--acknowledge|redrive|replay|pause|resume|set |bgsave/.test(script)
  for (;;) {
    const ended = await once()
    if (!reads || asShown(ended) || performance.now() > deadline) return ended
    await sleep(200)
  }
}

/** Opens a system whose roles run in this process. */
async function openSystem(): Promise<incidents.Troubled & AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  stack.use(server)
  const archive = stack.use(archiveFolder())
  const emulator = stack.use(await emptySqs())
  const replies = new Map<string, object>()
  const sqs = stack.use(await openSqsProxy(emulator.url, (name) => replies.get(name)))
  const env = envOf(
    server.url,
    { ...emulator, url: sqs.url },
    {
      ...{ JOB_VERDICT_MS: '1000', ARCHIVE_URL: archive.url, ARCHIVE_SEGMENT_SECONDS: '1' },
    },
  )
  const redis = new Redis(server.url, { maxRetriesPerRequest: null })
  redis.on('error', () => {}) // it is stopped on purpose
  stack.defer(() => redis.disconnect())
  const running = new Map<string, OrdersRun>()
  stack.defer(async () => void (await Promise.all([...running.values()].map((run) => run.stop()))))
  let api = ''
  const start = async (role: string): Promise<OrdersRun> => {
    const port = api === '' ? '0' : new URL(api).port
    const run = runOrders(['run', role], role === 'api' ? { ...env, API_PORT: port } : env)
    running.set(role, run)
    await run.started()
    if (role === 'api') api = await run.apiUrl()
    return run
  }
  const stop = async (role: string): Promise<void> => void (await running.get(role)?.stop())
  for (const role of ['api', 'bridge', 'validate', 'archive', 'aggregate', 'leaderboard', 'jobs']) await start(role)
  const system = { env, server, redis, archive: archive.folder, sqs, replies, api: () => api, start, stop }
  await incidents.sendOrders(system)
  await incidents.wrongOrders(system)
  const open = stack.move()
  return { ...system, [Symbol.asyncDispose]: () => open.disposeAsync() }
}
