import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { adoptedKeys, keyPatterns, makeControlKeys, makePartitions, shadowKeys } from '../../../../src/keys.ts'
import { type Actor, actors, nameIn, neededBy } from '../../../../src/ops/rights/commands.ts'
import { namedKeys } from '../../../../src/redis/key-types.ts'
import { shipped } from '../../../support/stages.ts'

/** Names the actors that run each script of ours. A script that calls no command has none. */
const scripts: Readonly<Record<string, readonly Actor[]>> = {
  'stream-id.lua': ['stages', 'operator'],
  'sums.lua': [],
  'stages/runner/entry.lua': [],
  'stages/runner/effects.lua': ['stages', 'operator'],
  'stages/runner/ledger.lua': ['stages'],
  'stages/invalid/record.lua': ['stages', 'operator'],
  'control/audit-log.lua': ['api', 'operator'],
  'control/incidents.lua': actors,
  'control/presence.lua': actors,
  'control/living.lua': ['api', 'operator'],
  'ingest/enqueue.lua': ['bridge', 'jobs'],
  'ops/jobs/expire-discarded.lua': ['jobs'],
  'ops/incidents/scan.lua': actors,
  'ops/calendar/day.lua': ['operator'],
  'ops/calendar/totals.lua': ['operator'],
  'ops/rebuild/apply.lua': ['operator'],
  'ops/reconcile/scores.lua': ['operator'],
  'ops/reconcile/reconcile.lua': ['operator'],
  'ops/rebuild/compare/read-pairs.lua': ['operator'],
  'ops/adopt/books.lua': ['operator'],
  'ops/adopt/invalid.lua': ['operator'],
  'ops/adopt/users.lua': ['operator'],
  'ops/repartition/copy-invalid.lua': ['operator'],
  'reads/measure.lua': ['bridge', 'stages', 'jobs', 'api', 'operator'],
  'stages/runner/commit.lua': ['stages'],
  'stages/runner/groups.lua': ['stages'],
  'stages/layout/rewire.lua': ['stages'],
  'stages/layout/leave.lua': ['stages', 'operator'],
  'stages/archive/append.lua': ['stages', 'jobs', 'operator'],
  'stages/archive/lines.lua': ['stages', 'jobs', 'operator'],
  'stages/archive/tail.lua': ['stages', 'jobs', 'operator'],
  'stages/calendar-books.lua': ['stages', 'operator'],
  'stages/runner/leases.lua': ['stages'],
  'stages/runner/dead-consumers.lua': ['stages'],
  'ops/verify/ledger-losses.lua': ['stages', 'operator'],
  'control/lock.lua': ['api', 'operator'],
  'ops/repartition/move-invalid.lua': ['operator'],
  'ops/verify/moment.lua': ['operator'],
  'reads/locate/delivery-state.lua': ['api', 'operator'],
  'reads/calendar/closed.lua': ['api', 'operator'],
  'reads/first-id.lua': ['api', 'operator'],
  'reads/rank.lua': ['api', 'operator'],
  'stages/erasure/move-totals.lua': ['api', 'operator'],
  'stages/erasure/redact-audit.lua': ['api', 'operator'],
  'stages/invalid/cancel.lua': ['jobs', 'api', 'operator'],
  'stages/invalid/requeue.lua': ['jobs', 'api', 'operator'],
  'reads/top.lua': ['api', 'operator'],
  'stages/runner/trim.lua': ['stages'],
  'control/pauses.lua': ['api', 'operator'],
}

/** Scripts of BullMQ, and who of us runs them: as a worker, by Bull Board, or to add, pause and read. */
const bullScripts: Readonly<Record<string, readonly Actor[]>> = {
  'addDelayedJob-6': ['api'],
  'addPrioritizedJob-9': ['api'],
  'addStandardJob-9': ['api', 'operator'],
  'changeDelay-4': ['api'],
  'changePriority-7': ['api'],
  'cleanJobsInSet-3': ['api'],
  'drain-5': ['api'],
  'extendLocks-1': ['jobs'],
  'getCounts-1': ['api', 'operator'],
  'getJobs-1': ['api', 'operator'],
  'getMetrics-2': ['api'],
  'getRanges-1': ['api', 'operator'],
  'getRateLimitTtl-2': ['jobs', 'api'],
  'getState-8': ['api', 'operator'],
  'getStateV2-8': ['api', 'operator'],
  'moveJobFromActiveToWait-9': ['jobs'],
  'moveJobsToWait-8': ['api'],
  'moveStalledJobsToWait-9': ['jobs'],
  'moveToActive-11': ['jobs'],
  'moveToDelayed-11': ['jobs'],
  'moveToFinished-14': ['jobs'],
  'pause-7': ['api', 'operator'],
  'promote-9': ['api'],
  'removeJob-2': ['api', 'operator'],
  'reprocessJob-9': ['api'],
  'retryJob-11': ['jobs'],
  'saveStacktrace-1': ['jobs'],
  'updateData-1': ['api'],
  'updateProgress-3': ['jobs'],
}

const src = new URL('../../../../src/', import.meta.url)
const bull = new URL('../../../../node_modules/bullmq/dist/esm/commands/', import.meta.url)

test('every script of ours has its users here', () => {
  const found = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.lua'))
  expect(Object.keys(scripts).sort()).toEqual(found.sort())
})

test.each(Object.entries(scripts))('who runs %s has the rights to what it calls', (file, users) => {
  if (users.length > 0) expectRights(readFileSync(new URL(file, src), 'utf8'), users)
})

test.each(Object.entries(bullScripts))("who runs BullMQ's %s has the rights to what it calls", (name, users) => {
  expectRights(included(new URL(`${name}.lua`, bull)), users)
})

test('every key that we have is within the patterns of the rights', () => {
  for (const count of [undefined, 3]) {
    const partitions = makePartitions(count)
    const [keys] = partitions
    if (!keys) throw new Error('no keys')
    const many = [
      keys.userStats('u'),
      keys.ledger(1, 2),
      keys.outcome('o'),
      keys.invalidGroup('conflict'),
      keys.nothing,
      adoptedKeys(keys).invalid,
      shadowKeys(keys, 'a-run').globalStats,
    ]
    const all = [...namedKeys(partitions, makeControlKeys(partitions), shipped), ...many]
    expect(all.length).toBeGreaterThan(20)
    const patterns = keyPatterns(count !== undefined).map(expression)
    expect(all.filter((key) => !patterns.some((pattern) => pattern.test(key)))).toEqual([])
  }
})

/** As Redis reads them, of which we use the asterisk alone. */
const expression = (pattern: string): RegExp =>
  new RegExp(`^${pattern.replace(/[{}]/g, '\\$&').replaceAll('*', '.*')}$`)

function expectRights(script: string, users: readonly Actor[]): void {
  const called = callsOf(script)
  expect(called.length).toBeGreaterThan(0)
  const lacking = users.flatMap((user) => {
    const known = neededBy([user]).map(nameIn)
    return called.filter((name) => !known.includes(name)).map((name) => `${user} needs ${name}`)
  })
  expect(lacking).toEqual([])
}

const withSubcommands = ['XGROUP', 'XINFO']

/** By name in a call, through `probe`, or at the head of a table that is called unpacked. */
function callsOf(script: string): string[] {
  const code = script.replaceAll(/--.*/g, '')
  const calls = code.matchAll(/(?:call|probe)\(\s*["'](\w+)["'](?:,\s*["'](\w+)["'])?|\{ '([A-Z]{3,})'[, ]/g)
  const names = [...calls].map(([, name = '', sub = '', first]) => {
    const command = (first ?? name).toUpperCase()
    return withSubcommands.includes(command) ? `${command}|${sub}` : command
  })
  return [...new Set(names)]
}

/** A script of BullMQ together with those that it includes. */
function included(file: URL, seen = new Set<string>()): string {
  const path = fileURLToPath(file)
  if (seen.has(path)) return ''
  seen.add(path)
  const text = readFileSync(file, 'utf8')
  const includes = [...text.matchAll(/@include "([^"]+)"/g)].map(([, name]) => new URL(`${name}.lua`, file))
  return text + includes.map((one) => included(one, seen)).join('\n')
}
