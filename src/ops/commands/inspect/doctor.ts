import type { App } from '../../../app.ts'
import type { Config } from '../../../config/config.ts'
import { readIncidents } from '../../../control/incidents.ts'
import { messageOf, OrdersError } from '../../../errors.ts'
import type { RedisClient } from '../../../redis/client.ts'
import { archiveStore } from '../../checks/archive.ts'
import { missingOrders } from '../../checks/books.ts'
import { examineQueue, examineRedis } from '../../checks/checks.ts'
import { type Finding, error as failing, type Level, ok } from '../../checks/finding.ts'
import { keyTypes } from '../../checks/key-types.ts'
import { pythonSystem } from '../../checks/python-system.ts'
import { defineCommand, flag } from '../../command.ts'
import { withRunning } from '../../local/running-system.ts'
import { partitionsOf } from '../../manifest/settings.ts'
import { connectApp } from '../../open/open-app.ts'
import { roleNames } from '../../process/roles.ts'
import { aclLines, type Layout, newerAclLines } from '../../rights/acl.ts'
import { type Line, type Styled, sentence } from '../../terminal/output.ts'
import { jsonLine } from '../../terminal/printable.ts'

/** Checks that Redis and SQS have what these roles need. Changes nothing there. */
async function examine(config: Config, roles: readonly string[]): Promise<Finding[]> {
  const queue = roles.includes('bridge') ? examineQueue(config) : []
  const needsArchive = ['archive', 'operator'].some((role) => roles.includes(role))
  const archive = async (app?: App): Promise<Finding[]> => (needsArchive ? archiveStore(config, app) : [])
  return (await Promise.all([connectAndExamine(config, roles, archive), queue])).flat()
}

async function connectAndExamine(
  config: Config,
  roles: readonly string[],
  archive: (app?: App) => Promise<Finding[]>,
): Promise<Finding[]> {
  try {
    await using app = await connectApp({ ...config, logLevel: 'silent' }, 'ask')
    const findings = await examineRedis(app, roles)
    const isEmulator = findings.some(({ check }) => check === 'emulator')
    const ofData = isEmulator ? [] : [...(await keyTypes(app, { all: true })), ...(await pythonSystem(app.redis))]
    const books = isEmulator ? [] : [await missingOrders(app)]
    return [...findings, ...ofData, ...(await incidents(app.redis)), ...books, ...(await archive(app))]
  } catch (error) {
    return [{ check: 'redis', level: 'error', found: messageOf(error) }, ...(await archive())]
  }
}

/** Returns the open incidents. They are no reason to refuse a start, but an operator must see them. */
async function incidents(redis: RedisClient): Promise<Finding[]> {
  const check = 'incidents'
  const open = await readIncidents(redis)
  if (open.length === 0) return [ok(check, 'none')]
  const advice = 'Once it is dealt with, run orders verify --acknowledge.'
  return open.map(({ text }) => failing(check, text, advice))
}

/** Formats findings as lines: the results in columns, each advice below its result. */
export function findingLines(findings: readonly Finding[]): Line[] {
  const widthOf = (name: 'level' | 'check'): number => Math.max(...findings.map((finding) => finding[name].length))
  const [levels, checks] = [widthOf('level'), widthOf('check')]
  const indent = ' '.repeat(levels + checks + 4)
  const lines = findings.flatMap(({ level, check, found, advice }) => [
    sentence(`${level.padEnd(levels)}  ${check.padEnd(checks)}  ${found}`, indent, colors[level]),
    ...(advice ? [sentence(`${indent}→ ${advice}`, `${indent}  `)] : []),
  ])
  const total = `${count(findings, 'warning')}, ${count(findings, 'error')}.`
  return [...lines, '', `${total.charAt(0).toUpperCase()}${total.slice(1)}`]
}

const colors = { ok: undefined, warning: 'yellow', error: 'red' } as const satisfies Record<Level, Styled['color']>

function count(findings: readonly Finding[], level: Level): string {
  const { length } = findings.filter((finding) => finding.level === level)
  return `${length || 'no'} ${level}${length === 1 ? '' : 's'}`
}

/** The roles, and the operator: the user of Redis for commands may be another one than for roles. */
const subjects: readonly string[] = [...roleNames, 'operator']

const newer = 'Redis 7.2 or newer, as well:'

const layoutIn = (config: Config): Layout => ({
  cluster: config.redisCluster,
  partitioned: partitionsOf(config) !== undefined,
})

export const command = defineCommand({
  name: 'doctor',
  words: '[role…]',
  about:
    'Checks that Redis and SQS are fit for orders, and says what to do; exit code 1 if they are not. Changes nothing. ' +
    `With roles (${subjects.join(', ')}) only for what they need.`,
  examples: ['doctor', 'doctor bridge validate --json'],
  page: 'docs/runbook.md',
  options: {
    json: flag('as JSON'),
    acl: flag('only prints the ACL lines that give Redis a user for each role, with no more rights than it needs'),
  },
  run: async ({ config, options: { json, acl }, words, signal, print, fail }) => {
    const stranger = words.find((word) => !subjects.includes(word))
    if (stranger !== undefined) {
      throw new OrdersError('ORD_USAGE', `There is no role "${stranger}": expected ${subjects.join(', ')}.`)
    }
    if (acl) return print([...aclLines(layoutIn(config)), '', newer, ...newerAclLines()])
    const checks = await examine(withRunning(config), words.length === 0 ? subjects : words)
    signal.throwIfAborted()
    const sound = checks.every(({ level }) => level !== 'error')
    print(json ? jsonLine({ ok: sound, checks }) : findingLines(checks))
    if (!sound) fail()
  },
})
