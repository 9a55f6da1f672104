import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { metrics } from '../../../src/api/metrics/metrics.ts'
import { variables } from '../../../src/config/variables.ts'
import { incidentKinds } from '../../../src/control/incidents.ts'
import { errorCodes } from '../../../src/errors.ts'
import { eventTable } from '../../../src/events/table.ts'
import { bridgeParts } from '../../../src/ingest/failure-log.ts'
import { loadCommands } from '../../../src/ops/cli.ts'
import { roleNames } from '../../../src/ops/process/roles.ts'
import { rejectCodes } from '../../../src/reject-codes.ts'

const read = (file: string): string => readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8')

/** The words in code style, without code blocks. */
const words = [
  ...read('docs/runbook.md')
    .replaceAll(/```[\s\S]*?```/g, '')
    .matchAll(/`([^`]+)`/g),
].map(([, word = '']) => word)
const matching = (pattern: RegExp): string[] => words.filter((word) => pattern.test(word))

const events = Object.keys(eventTable)
const eventFields = read('src/events/fields.ts').matchAll(/(\w+)\??: /g)
const apiFields = read('docs/openapi.json').matchAll(/"(\w+)": \{/g)

/** Words that processes and the API print: events and their fields, codes, names. */
const printed = new Set<string>([
  ...events,
  ...[...eventFields, ...apiFields].map(([, field = '']) => field),
  ...rejectCodes,
  ...roleNames,
  ...incidentKinds,
  ...bridgeParts,
])

/** Words of Redis and its command line, of a shell, and of running.json. */
const foreign = ['bgsave', 'config', 'df', 'grep', 'maxmemory', 'maxmemory-policy', 'noeviction', 'slowlog', 'redisUrl']

test('each word of the runbook that looks like an event, a field, a code or a name is one that is printed', () => {
  const single = matching(/^[a-z]+([A-Z][a-z]+)*(-[a-z]+)*$/)
  expect(single).toEqual(expect.arrayContaining(['loopFailed', 'conflict', 'ended', 'unread']))
  const ours = ['orders', 'redis-cli', 'x-request-id', ...foreign]
  expect(single.filter((word) => !printed.has(word) && !ours.includes(word))).toEqual([])
})

test('each ORD_ code of the runbook is one that a process can end with', () => {
  const codes = matching(/^ORD_/)
  expect(codes).toContain('ORD_STUCK')
  expect(codes.filter((code) => !(code in errorCodes))).toEqual([])
})

test('each metric and each variable of the runbook is one', () => {
  const names = metrics.map(({ name }) => name)
  const asked = words.flatMap((word) => word.match(/\borders_\w+/g) ?? [])
  expect(asked).toContain('orders_redis_up')
  expect(asked.filter((name) => !names.includes(name))).toEqual([])
  const known = Object.values(variables).map(({ name }) => name)
  const named = matching(/^[A-Z]+(_[A-Z]+)+(=|$)/).map((word) => word.split('=')[0] ?? '')
  expect(named).toContain('CLAIM_IDLE_MS')
  expect(named.filter((name) => !name.startsWith('ORD_') && !known.includes(name))).toEqual([])
})

test('each command of the runbook has the options that it is given', async () => {
  const options = new Map((await loadCommands()).map(({ name, options }) => [name, Object.keys(options)]))
  const calls = matching(/^npx orders \w/).map((word) => word.split(' ').slice(2))
  const unknown = calls.filter(([name = '', ...rest]) => {
    const given = rest.filter((word) => word.startsWith('--')).map((word) => word.slice(2))
    return !given.every((option) => options.get(name)?.includes(option))
  })
  expect(calls).toContainEqual(['verify', '--deep'])
  expect(unknown).toEqual([])
})
