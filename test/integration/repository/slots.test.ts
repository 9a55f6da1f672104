import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { describe, expect, test } from 'vitest'
import { beginAction } from '../../../src/control/audit-log.ts'
import { noteIncident } from '../../../src/control/incidents.ts'
import { readLiving } from '../../../src/control/living.ts'
import { holdLock } from '../../../src/control/lock.ts'
import { pauseComponent, resumeComponent } from '../../../src/control/pauses.ts'
import { renewPresence } from '../../../src/control/presence.ts'
import { enqueue, enqueueOnce } from '../../../src/ingest/enqueue.ts'
import { type Keys, makeControlKeys, makePartitions, movedKeys } from '../../../src/keys.ts'
import { adoptBooks } from '../../../src/ops/adopt/books.ts'
import { readDayAtOnce } from '../../../src/ops/calendar/day.ts'
import { readDatedTotals } from '../../../src/ops/calendar/totals.ts'
import { scanPartition } from '../../../src/ops/incidents/scan.ts'
import { expireSome } from '../../../src/ops/jobs/expire-discarded.ts'
import { applyBatch } from '../../../src/ops/rebuild/apply.ts'
import { readPairs } from '../../../src/ops/rebuild/compare/read-pairs.ts'
import { reconcile } from '../../../src/ops/reconcile/reconcile.ts'
import { checkScores } from '../../../src/ops/reconcile/scores.ts'
import { copyInvalid } from '../../../src/ops/repartition/copy-invalid.ts'
import type { Move } from '../../../src/ops/repartition/move.ts'
import { swapInvalid } from '../../../src/ops/repartition/move-invalid.ts'
import { ledgerLoss } from '../../../src/ops/verify/ledger-losses.ts'
import { noteMoment } from '../../../src/ops/verify/moment.ts'
import { repair } from '../../../src/ops/verify/repair.ts'
import { readBooks } from '../../../src/reads/books.ts'
import { isClosed } from '../../../src/reads/calendar/closed.ts'
import { firstId } from '../../../src/reads/first-id.ts'
import { locateOrder } from '../../../src/reads/locate/locate.ts'
import { readRank } from '../../../src/reads/rank.ts'
import { readTop } from '../../../src/reads/top.ts'
import type { RedisClient } from '../../../src/redis/client.ts'
import { loadScript } from '../../../src/redis/script.ts'
import { append, noChain } from '../../../src/stages/archive/append.ts'
import { storeLines } from '../../../src/stages/archive/lines.ts'
import { noHash } from '../../../src/stages/archive/manifest.ts'
import { rankIn } from '../../../src/stages/calendar.ts'
import { readCalendarBooks } from '../../../src/stages/calendar-books.ts'
import { moveTotals } from '../../../src/stages/erasure/move-totals.ts'
import { redactAudit } from '../../../src/stages/erasure/redact-audit.ts'
import { cancelReplay } from '../../../src/stages/invalid/cancel.ts'
import type { InvalidEntry } from '../../../src/stages/invalid/entry.ts'
import { discardEntry, replayEntries, withdrawEntry } from '../../../src/stages/invalid/requeue.ts'
import { leaveCalendar } from '../../../src/stages/layout/leave.ts'
import { rewire } from '../../../src/stages/layout/rewire.ts'
import { commit } from '../../../src/stages/runner/commit.ts'
import { removeConsumers } from '../../../src/stages/runner/dead-consumers.ts'
import { decodeEntry } from '../../../src/stages/runner/entry.ts'
import { ensureGroups } from '../../../src/stages/runner/groups.ts'
import { leaveLeases, renewLeases } from '../../../src/stages/runner/leases.ts'
import { noEffects } from '../../../src/stages/runner/merge.ts'
import { planBatch } from '../../../src/stages/runner/plan.ts'
import { trim } from '../../../src/stages/runner/trim.ts'
import { plainFormat } from '../../support/plain-format.ts'
import { shipped as pipeline, withArchive, withCalendar } from '../../support/stages.ts'
import { appOn } from '../../support/world.ts'

const root = new URL('../../../src/', import.meta.url)
const scripts = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.lua'))
  .map((path) => ({
    name: path.replaceAll('\\', '/'),
    source: loadScript(new URL(path.replace(/\.lua$/, '.ts'), root).href).source,
    text: readFileSync(new URL(path, root), 'utf8'),
  }))
/** Files that only stand in scripts. */
const included = scripts.flatMap(({ name, text }) =>
  [...text.matchAll(/^-- include (\S+)$/gm)].map(([, path = '']) => posix.join(posix.dirname(name), path)),
)

interface Call {
  readonly script: string
  readonly keys: readonly string[]
}

/** A line of a manifest of the archive. */
const line = {
  seq: 1,
  kind: 'begin',
  at: '2026-11-30T00:00:00Z',
  chain: 'c',
  partition: 'none',
  archived: 0,
  previous: noHash,
}
const tail = [['chain', 'c', 'partition', 'none', 'seq', '1', 'head', 'h', 'at', 'a'], [JSON.stringify(line)]]

/** Replies of scripts that others run after. */
const scriptReplies: Readonly<Record<string, unknown>> = {
  'reads/rank.lua': [[1], [1]],
  'stages/archive/tail.lua': tail,
  'ops/verify/ledger-losses.lua': [1, 1, 1],
  'ops/verify/moment.lua': ['', '', '', '', ''],
  'reads/calendar/closed.lua': 1,
  'stages/calendar-books.lua': ['', '', [], 1, []],
}

/**
 * A client that writes down which script is called with which keys. To every command it replies as an empty Redis might,
 * as far as that matters to get from one command to the next.
 */
function recorder(calls: Call[]): RedisClient {
  const names = new Map(scripts.map(({ name, source }) => [createHash('sha1').update(source).digest('hex'), name]))
  const replies: Record<string, unknown> = { xreadBuffer: null, scan: ['0', []], zscan: ['0', []], time: [1, 0] }
  const evalsha = async (sha: string, count: number, ...rest: string[]): Promise<unknown> => {
    const script = names.get(sha) ?? 'one that is nowhere'
    calls.push({ script, keys: rest.slice(0, count) })
    return scriptReplies[script] ?? []
  }
  const chained = new Set(['duplicate', 'multi', 'pipeline', 'on', 'once', 'xinfo', 'hget', 'hmget'])
  const client: object = new Proxy(
    Object.assign(() => client, { options: {}, status: 'ready' }),
    {
      get: (target, name: string) => {
        if (name === 'evalsha') return evalsha
        if (name === 'then' || name in target) return Reflect.get(target, name)
        return chained.has(name) ? () => client : async () => replies[name] ?? []
      },
      set: () => true,
    },
  )
  return client as RedisClient
}

const partitions = makePartitions(8)
const keys = partitions[3] as Keys
const now = new Date()

function appOf(redis: RedisClient) {
  return appOn(redis as never, undefined, { keys, partitions: [keys], control: makeControlKeys(partitions) })
}

/** An order that is admitted and one that is not, of two jobs, through every stage. */
async function commitAll(redis: RedisClient): Promise<void> {
  const app = appOf(redis)
  let records = ['{"user_id":"u","order_id":"o","order_value":1}', '{}'].map((body, at) => {
    return JSON.stringify({ id: `m${at}`, body, jobId: `reprocess-${at}` })
  })
  for (const stage of pipeline.stages) {
    const fields = ['n', `${records.length}`, 'r', `[${records.join(',')}]`].map((text) => Buffer.from(text))
    const entry = decodeEntry(pipeline, '1-1', fields, stage.from)
    expect(entry.records).toHaveLength(records.length)
    const plan = planBatch(
      {
        stage,
        channel: pipeline.channel(stage.from),
        keys,
        format: plainFormat,
        now,
        known: new Map(),
        onDecideFailed: () => {},
      },
      [entry],
    )
    await commit(app, { stage, keys, consumer: 'c' }, plan, 1).catch(() => {})
    const totals = ',"order_count":1,"total_spend_minor":100}'
    records = plan.emits.map(({ text, totals: appended }) => (appended === undefined ? text : text + totals))
  }
}

const rejected = (stage?: string): InvalidEntry => {
  const record = { order: null, code: 'malformed-json', reason: 'Malformed JSON', ts: now.toISOString() }
  return { id: '1-1', json: '{}', keys, text: '{"orders":1}', record: { ...record, ...(stage && { stage }) } }
}

const builtEffects = { ...noEffects(), hashes: new Map([['{p3}:rebuild:new:r:user:u', new Map([['order_count', 1]])]]) }
const aPlan = {
  differences: [
    {
      key: '{p3}:user:u',
      add: new Map([['order_count', 1]]),
      odd: ['f'],
      isReplaced: true,
      isForeign: true,
      expiresAt: 1,
    },
  ],
  ranks: rankIn(keys, plainFormat.calendar.periodsAt('2026-11-30').week, 'u'),
}

/** Everything that runs a script. */
const wrappers: readonly ((redis: RedisClient) => Promise<unknown>)[] = [
  (redis) => enqueue(redis, keys, [{ id: 'm', body: '{}' }]),
  (redis) =>
    enqueueOnce({ redis, partitions, format: plainFormat }, 'reprocess-1', { id: 'm', body: '{"user_id":"u"}' }),
  commitAll,
  (redis) => replayEntries(appOf(redis), [rejected()], { jobId: 'replay-1', limit: 1 }),
  (redis) => replayEntries(appOf(redis), [rejected('aggregate')], { jobId: 'replay-1', limit: 1 }),
  (redis) => discardEntry(appOf(redis), rejected(), { reason: 'r', by: 'b' }),
  (redis) => withdrawEntry(appOf(redis), rejected(), 'reprocess-1', { id: 'm', body: '{}' }),
  (redis) =>
    moveTotals(appOf(redis), 'u', { totals: undefined, months: new Map([['2026-11', ['orders', '25:orders']]]) }),
  (redis) => redactAudit(redis, makeControlKeys(partitions), ['1-1', '{}']),
  (redis) => expireSome(appOf(redis), '1-1'),
  (redis) => cancelReplay(appOf(redis), 'replay-1'),
  (redis) => copyInvalid(redis, movedKeys(3, 8), [['1-1', ['code', 'malformed-json', 'record', '{}']]]),
  (redis) => trim(appOf(redis), pipeline.first),
  (redis) =>
    removeConsumers(
      appOf(redis),
      { stage: pipeline.first, stream: keys.stream('raw'), name: 'c', reader: redis },
      true,
    ),
  (redis) => rewire(appOf(redis)),
  (redis) => leaveCalendar({ ...appOf(redis), keys }),
  (redis) => readCalendarBooks({ ...appOf(redis), keys, pipeline: withCalendar }),
  (redis) => ensureGroups({ ...appOf(redis), keys }),
  (redis) => readBooks(appOf(redis)),
  (redis) => isClosed({ ...appOf(redis), pipeline: withCalendar }, '2026-01-01'),
  (redis) => firstId(redis, keys.stream('raw'), '-'),
  (redis) => readRank(redis, partitions, 'u', 2),
  (redis) => readTop(redis, partitions, 'spend', { limit: 1, after: { userId: 'u', score: 1, board: 'spend' } }),
  (redis) => locateOrder(appOf(redis), { userId: 'u', orderId: 'o' }),
  (redis) => noteMoment(redis, { ...appOf(redis), keys }, keys.stream('counted')),
  (redis) => readDatedTotals(appOf(redis)),
  (redis) => repair(appOf(redis), new AbortController().signal),
  (redis) =>
    readDayAtOnce(
      appOf(redis),
      [{ wrong: [], days: new Map(), users: new Set([keys.monthly('2026-11', 'u')]) }],
      '2026-11-30',
    ),
  (redis) => checkScores(redis, rankIn(keys, plainFormat.calendar.periodsAt('2026-11-30').week, 'u'), 'set'),
  (redis) => applyBatch(redis, keys, { run: 'r', chain: 'c', position: '1', before: '' }, builtEffects),
  (redis) => readPairs(redis, keys, pipeline.stages.slice(1), [['{p3}:user:u', '{p3}:rebuild:new:r:user:u']]),
  (redis) => reconcile(redis, keys, { token: 't', nextToken: '', kept: { name: 'k', step: '0' } }, aPlan),
  (redis) => pauseComponent(appOf(redis), 'bridge', { by: 'ann' }),
  (redis) => resumeComponent(appOf(redis), 'bridge', { by: 'ann' }),
  (redis) => beginAction(appOf(redis), { action: 'a', by: 'ann', what: '{}' }),
  (redis) => noteIncident(redis, { kind: 'data', place: '', ts: now.toISOString(), orders: 1, text: 't' }, []),
  (redis) => scanPartition(appOf(redis), keys),
  (redis) => ledgerLoss(appOf(redis), 1, 'all'),
  (redis) => renewLeases(appOf(redis), pipeline.first),
  (redis) => leaveLeases(appOf(redis), pipeline.first),
  (redis) => renewPresence(appOf(redis), new Map([['bridge', 0]]), true),
  (redis) => readLiving(redis, makeControlKeys(partitions)),
  async (redis) => (await holdLock(redis, () => {}, new AbortController().signal))[Symbol.asyncDispose](),
  (redis) => append(archiveOn(redis), noChain, { content: { kind: 'expired', removes: 'a segment' } }),
  (redis) => storeLines(archiveOn(redis), { ...emptyStore, put: async () => {} }),
  (redis) => swapInvalid(moveOn(redis)),
  (redis) => adoptBooks(moveOn(redis)),
]

const archiveOn = (redis: RedisClient) => ({ redis, keys, partitions, pipeline: withArchive })

const emptyStore = { place: 'nowhere', async *list() {}, get: async () => undefined }

const moveOn = (redis: RedisClient): Move => ({
  ...{ redis, config: appOf(redis).config, format: plainFormat, pipeline, from: [], to: partitions },
  alive: async () => {},
  durable: async () => {},
})

/** An adoption refuses a cluster: on one Redis these bring what has bare names to partitions in one step. */
const ofOneRedis = ['ops/adopt/invalid.lua', 'ops/adopt/users.lua']

test('all keys of a script call carry the tag of one partition, and no script is left out', async () => {
  const calls: Call[] = []
  const redis = recorder(calls)
  for (const run of wrappers) await run(redis).catch(() => {}) // what an empty reply is to a wrapper is another matter
  const several = calls.filter(({ keys }) => new Set(keys).size > 1) // a key alone has the slot that it has
  const tags = several.map(({ script, keys }) => [script, [...new Set(keys.map((key) => /^\{p\d\}:/.exec(key)?.[0]))]])
  expect(tags.filter(([, found]) => found?.length !== 1 || found[0] === undefined)).toEqual([])
  expect([...new Set(calls.map(({ script }) => script))].sort()).toEqual(
    scripts.flatMap(({ name }) => (ofOneRedis.includes(name) || included.includes(name) ? [] : [name])).sort(),
  )
  expect(calls.filter(({ script }) => script === 'stages/runner/commit.lua')).toHaveLength(pipeline.stages.length)
})

test('a reply that a script does not have is refused by its wrapper', async () => {
  const move = moveOn(recorder([])) // its reply is an empty list
  const swap = swapInvalid(move)
  const copy = copyInvalid(move.redis, movedKeys(3, 8), [['1-1', ['code', 'malformed-json', 'record', '{}']]])
  for (const call of [swap, copy, adoptBooks(move)])
    await expect(call).rejects.toMatchObject({ code: 'ORD_REDIS_REPLY', message: expect.stringContaining('.lua') })
})

/** The arguments of a call, up to the end of the line. */
function argumentsOf(text: string): string[] {
  const found = ['']
  let depth = 0
  for (const character of text) {
    if ('([{'.includes(character)) depth++
    if (')]}'.includes(character)) depth--
    if (depth < 0) break
    if (character === ',' && depth === 0) found.push('')
    else found[found.length - 1] += character
  }
  return found.map((argument) => argument.trim())
}

function keysIn(command: string, given: readonly string[]): string[] {
  if (command === 'ZDIFF') return given.slice(1)
  if (command === 'RENAME') return given.slice(0, 2)
  if (command === 'XINFO' || command === 'XGROUP') return given.slice(1, 2)
  if (command === 'XREADGROUP') return given.slice(given.indexOf("'STREAMS'") + 1).slice(0, 1)
  return given.slice(0, 1)
}

/** Keys of commands that do not come from KEYS: neither itself, nor a name that stands for one, nor what a function is given. */
function strangers(source: string): string[] {
  // A command that is put together bit by bit gets its key at 2.
  const code = source.replace(/--.*$/gm, '').replace(/\b\w+\[2\] = (.*)/g, "{ 'SET', $1 }")
  const fromKeys = (name: string): boolean =>
    new RegExp(`\\b${name}\\b[\\w, ]*(=|in ipairs\\().*KEYS|function \\w+\\([\\w, ]*\\b${name}\\b`).test(code)
  return [...code.matchAll(/(?:call\(|probe\(|\{) ?'([A-Z]{3,})', (.*)/g)].flatMap(([, command = '', rest = '']) =>
    keysIn(command, argumentsOf(rest))
      .filter((key) => !/^KEYS\[[^.]*\]$/.test(key) && !(/^\w+$/.test(key) && fromKeys(key)))
      .map((key) => `${command} ${key}`),
  )
}

describe('every key that a script uses comes from KEYS', () => {
  test.each(scripts)('$name', ({ source }) => {
    expect(strangers(source)).toEqual([])
  })

  test.each([
    ["redis.call('GET', 'orders:raw')", "GET 'orders:raw'"],
    ["redis.call('GET', KEYS[1] .. ':more')", "GET KEYS[1] .. ':more'"],
    ["local key = ARGV[1]\nredis.call('HGET', key, 'f')", 'HGET key'],
    ["redis.call('RENAME', KEYS[1], ARGV[1])", 'RENAME ARGV[1]'],
    ["redis.call('XGROUP', 'CREATE', ARGV[1], 'g', '0')", 'XGROUP ARGV[1]'],
    ["local claim = { 'XCLAIM', ARGV[1] }", 'XCLAIM ARGV[1]'],
    ["local set = { 'HSET' }\nset[2] = ARGV[1]", 'SET ARGV[1]'],
  ])('this is found: %s', (source, reported) => {
    expect(strangers(source)).toEqual([reported])
  })
})
