import type { App } from '../../app.ts'
import type { Config } from '../../config/config.ts'
import { messageOf, OrdersError } from '../../errors.ts'
import { readDurabilityFacts } from '../../ingest/proof/facts.ts'
import { decideProof } from '../../ingest/proof/proof.ts'
import { mayCreate, missingText, queuePlace } from '../../ingest/sqs/endpoint.ts'
import { hostOf } from '../../redis/endpoint.ts'
import { serviceAt } from '../../redis/service.ts'
import { howToGetRedis } from '../local/redis-program.ts'
import { actorsOf } from '../rights/commands.ts'
import { printable } from '../terminal/printable.ts'
import { archiveAtStart, leftArchive } from './archive.ts'
import { redisClock } from './clocks.ts'
import { durability } from './durability.ts'
import { type Finding, isWorse, warning } from './finding.ts'
import { keyTypes } from './key-types.ts'
import { ledger } from './ledger.ts'
import { orderFormat } from './order-format.ts'
import { judgeQueue, visibilityTimeout } from './queue.ts'
import { commands, eviction, memory, replication, type ServerCheck, version } from './redis.ts'
import { isEmulator, readServers } from './server.ts'
import { spread } from './spread.ts'

/** The roles that a check concerns. */
type Part = 'every role' | 'bridge' | 'stages'

const serverChecks: readonly (readonly [ServerCheck, Part])[] = [
  [version, 'every role'],
  [commands, 'every role'],
  [eviction, 'every role'],
  [replication, 'every role'],
  [memory, 'bridge'],
]

/**
 * Refuses to start the roles if orders would be lost or would stop moving. Logs a warning for every lesser finding.
 * @throws OrdersError ORD_CHECK with one line per error.
 */
export async function checkAtStart(app: App, roles: readonly string[], signal?: AbortSignal): Promise<void> {
  const queue = roles.includes('bridge') ? examineQueue(app.config, signal) : []
  const [archive, ...others] = await Promise.all([archiveAtStart(app, roles), examineRedis(app, roles), queue])
  const findings = others.flat()
  const errors = findings.filter(({ level }) => level === 'error')
  if (errors.length > 0) signal?.throwIfAborted() // then the abort may have made them
  if (errors.length > 0) throw new OrdersError('ORD_CHECK', errors.map(sentence).map(printable).join('\n'))
  // Only the stages that need such a key stop: no reason to refuse the start.
  const types = findings.some(({ check }) => check === 'emulator') ? [] : await keyTypes(app, { all: false })
  for (const { check, level, found, advice = '' } of [...findings, ...types, ...archive]) {
    if (level !== 'ok' && !expected.includes(check)) app.telemetry.emit('checkWarned', { check, found, advice })
  }
}

/** Not logged: a missing queue is created at the start, and `orders start` reports the emulator itself. */
const expected = ['queue', 'emulator']

/** Formats a finding as a sentence. Without advice it is one already. */
function sentence({ check, found, advice }: Finding): string {
  return advice ? `${check.charAt(0).toUpperCase()}${check.slice(1)}: ${found}. ${advice}` : found
}

/** Checks Redis for a process that runs these roles. */
export async function examineRedis(app: App, roles: readonly string[]): Promise<Finding[]> {
  const servers = await readServers(app, actorsOf(app.pipeline, roles))
  if (servers.some(isEmulator)) return [emulator]
  const parts = partsOf(app, roles)
  // In a cluster every master is checked, and the worst finding counts.
  const ofServer = serverChecks
    .filter(([, part]) => parts.includes(part))
    .map(([check]) => servers.map((server) => check(server, app.config)).reduce((a, b) => (isWorse(b, a) ? b : a)))
  const ofBridge = parts.includes('bridge') ? await examineDeletions(app) : []
  const ofFormat = await orderFormat(app)
  if (!parts.includes('stages')) return [...ofServer, ...ofBridge, ...ofFormat]
  const compactEntries = Math.min(...servers.map(({ compactEntries }) => compactEntries))
  const ofStages = (
    await Promise.all([redisClock(app), ledger(app, compactEntries), spread(app), leftArchive(app)])
  ).flat()
  return [...ofServer, ...ofBridge, ...ofFormat, ...ofStages]
}

/** Checks when messages are deleted from SQS, by the same facts and decision as the bridge itself. */
async function examineDeletions(app: App): Promise<Finding[]> {
  const { config } = app
  const facts = await readDurabilityFacts(app)
  const proof = decideProof(config.sqsDeleteAfter, facts)
  const service = serviceAt(hostOf(config))
  return [durability({ wanted: config.sqsDeleteAfter, facts, proof, service }), visibilityTimeout(config, proof)]
}

const emulator = warning(
  'emulator',
  'Redis is the in-process emulator, which keeps no data',
  `For anything but a first try, ${howToGetRedis()}.`,
)

function partsOf({ pipeline }: App, roles: readonly string[]): Part[] {
  const parts = new Set<Part>(['every role'])
  if (roles.includes('bridge')) parts.add('bridge')
  if (pipeline.names.some((name) => roles.includes(name))) parts.add('stages')
  return [...parts]
}

/** Checks the queue. Creates nothing. */
export async function examineQueue(config: Config, signal?: AbortSignal): Promise<Finding[]> {
  const { inspectQueue } = await import('../../ingest/sqs/queue.ts') // loaded only by processes with a bridge
  const missing = mayCreate(config) ? undefined : missingText(config)
  try {
    return judgeQueue(await inspectQueue(config, signal), queuePlace(config), missing)
  } catch (error) {
    return [{ check: 'queue', level: 'error', found: messageOf(error) }]
  }
}
