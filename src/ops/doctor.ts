import type { Config } from '../config.ts'
import { messageOf } from '../errors.ts'
import { readIncidents } from '../incidents.ts'
import type { RedisClient } from '../redis.ts'
import { missingOrders } from './checks/books.ts'
import { type Finding, error as failing, type Level, ok } from './checks/finding.ts'
import { keyTypes } from './checks/key-types.ts'
import { examineQueue, examineRedis } from './checks.ts'
import { defineCommand, flag } from './command.ts'
import { connectApp } from './open.ts'
import { withRunning } from './registry.ts'
import { roleNames } from './roles.ts'

/** Looks at Redis and SQS for what every role needs, and changes nothing there. */
async function examine(config: Config): Promise<Finding[]> {
  return (await Promise.all([connectAndExamine(config), examineQueue(config)])).flat()
}

async function connectAndExamine(config: Config): Promise<Finding[]> {
  try {
    await using app = await connectApp({ ...config, logLevel: 'silent' }, 'ask')
    const findings = await examineRedis(app, roleNames)
    if (findings.some(({ check }) => check === 'emulator')) return [...findings, ...(await incidents(app.redis))]
    return [
      ...findings,
      ...(await keyTypes(app, { all: true })),
      ...(await incidents(app.redis)),
      await missingOrders(app),
    ]
  } catch (error) {
    return [{ check: 'redis', level: 'error', found: messageOf(error) }]
  }
}

/** No reason to refuse a start: work goes on, and an operator is to see it. */
async function incidents(redis: RedisClient): Promise<Finding[]> {
  const check = 'incidents'
  const open = await readIncidents(redis)
  if (open.length === 0) return [ok(check, 'none')]
  const advice = 'Once it is dealt with, run orders verify --acknowledge.'
  return open.map(({ text }) => failing(check, text, advice))
}

/** The findings as lines for people: what was found in a column, what to do below it. */
export function findingLines(findings: readonly Finding[]): string[] {
  const widthOf = (name: 'level' | 'check'): number => Math.max(...findings.map((finding) => finding[name].length))
  const [levels, checks] = [widthOf('level'), widthOf('check')]
  const lines = findings.flatMap(({ level, check, found, advice }) => [
    `${level.padEnd(levels)}  ${check.padEnd(checks)}  ${found}`,
    ...(advice ? [`${' '.repeat(levels + checks + 4)}→ ${advice}`] : []),
  ])
  const total = `${count(findings, 'warning')}, ${count(findings, 'error')}.`
  return [...lines, '', `${total.charAt(0).toUpperCase()}${total.slice(1)}`]
}

function count(findings: readonly Finding[], level: Level): string {
  const { length } = findings.filter((finding) => finding.level === level)
  return `${length || 'no'} ${level}${length === 1 ? '' : 's'}`
}

export const doctorCommand = defineCommand({
  name: 'doctor',
  about:
    'Checks that Redis and SQS are fit for orders, and says what to do; exit code 1 if they are not. Changes nothing.',
  options: { json: flag('as JSON') },
  run: async ({ config, options: { json }, signal, print }) => {
    const checks = await examine(withRunning(config))
    signal.throwIfAborted()
    const sound = checks.every(({ level }) => level !== 'error')
    print(json ? JSON.stringify({ ok: sound, checks }) : findingLines(checks).join('\n'))
    if (!sound) process.exitCode = 1
  },
})
