import type { App } from '../../app.ts'
import type { Config } from '../../config.ts'
import { messageOf, OrdersError } from '../../errors.ts'
import { pipeline } from '../../stages/pipeline.ts'
import { actorsOf } from '../rights/commands.ts'
import { printable } from '../terminal/printable.ts'
import { type Finding, isWorse, warning } from './finding.ts'
import { keyTypes } from './key-types.ts'
import { clock, ledger } from './ledger.ts'
import { judgeQueue, visibilityTimeout } from './queue.ts'
import { appendOnlyFile, commands, eviction, memory, replication, type ServerCheck, version } from './redis.ts'
import { isEmulator, readServers } from './server.ts'
import { spread } from './spread.ts'

/** Which roles a check concerns. */
type Part = 'every role' | 'bridge' | 'stages'

const serverChecks: readonly (readonly [ServerCheck, Part])[] = [
  [version, 'every role'],
  [commands, 'every role'],
  [eviction, 'every role'],
  [replication, 'every role'],
  [memory, 'bridge'],
  [appendOnlyFile, 'bridge'],
  [visibilityTimeout, 'bridge'],
]

/**
 * Refuses to start the roles where orders would be lost or stand still; of what is not as it should be it warns.
 * @throws OrdersError ORD_CHECK with one line per error.
 */
export async function checkAtStart(app: App, roles: readonly string[], signal?: AbortSignal): Promise<void> {
  const queue = roles.includes('bridge') ? examineQueue(app.config, signal) : []
  const findings = (await Promise.all([examineRedis(app, roles), queue])).flat()
  const errors = findings.filter(({ level }) => level === 'error')
  if (errors.length > 0) throw new OrdersError('ORD_CHECK', errors.map(sentence).map(printable).join('\n'))
  // What needs such a key stands still, and the rest goes on: no reason not to start.
  const types = findings.some(({ check }) => check === 'emulator') ? [] : await keyTypes(app, { all: false })
  for (const { check, level, found, advice = '' } of [...findings, ...types]) {
    if (level !== 'ok' && !expected.includes(check)) app.telemetry.emit('checkWarned', { check, found, advice })
  }
}

/** A queue that is missing is created at the start, and of the emulator `orders start` tells itself. */
const expected = ['queue', 'emulator']

/** A finding without advice is a sentence already. */
function sentence({ check, found, advice }: Finding): string {
  return advice ? `${check.charAt(0).toUpperCase()}${check.slice(1)}: ${found}. ${advice}` : found
}

/** What there is to say of Redis to who runs these roles. */
export async function examineRedis(app: App, roles: readonly string[]): Promise<Finding[]> {
  const servers = await readServers(app, actorsOf(roles))
  if (servers.some(isEmulator)) return [emulator]
  const parts = partsOf(roles)
  // Of a cluster each master is looked at, and the worst is told.
  const ofServer = serverChecks
    .filter(([, part]) => parts.includes(part))
    .map(([check]) => servers.map((server) => check(server, app.config)).reduce((a, b) => (isWorse(b, a) ? b : a)))
  if (!parts.includes('stages')) return ofServer
  const compactEntries = Math.min(...servers.map(({ compactEntries }) => compactEntries))
  return [...ofServer, ...(await Promise.all([clock(app), ledger(app, compactEntries), spread(app)])).flat()]
}

const emulator = warning(
  'emulator',
  'Redis is the in-process emulator, which forgets everything',
  'Install redis-server, or set REDIS_URL, for more than a look around.',
)

function partsOf(roles: readonly string[]): Part[] {
  const parts = new Set<Part>(['every role'])
  if (roles.includes('bridge')) parts.add('bridge')
  if (pipeline.some(({ name }) => roles.includes(name))) parts.add('stages')
  return [...parts]
}

/** What there is to say of the queue; nothing is created. */
export async function examineQueue(config: Config, signal?: AbortSignal): Promise<Finding[]> {
  const { inspectQueue, queuePlace } = await import('../../ingest/sqs/queue.ts') // who runs no bridge needs nothing of SQS
  try {
    return judgeQueue(await inspectQueue(config, signal), queuePlace(config))
  } catch (error) {
    return [{ check: 'queue', level: 'error', found: messageOf(error) }]
  }
}
