import type { Config } from '../config.ts'
import { messageOf } from '../errors.ts'
import { missingOrders } from './checks/books.ts'
import type { Finding, Level } from './checks/finding.ts'
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
    return findings.some(({ check }) => check === 'emulator') ? findings : [...findings, await missingOrders(app)]
  } catch (error) {
    return [{ check: 'redis', level: 'error', found: messageOf(error) }]
  }
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
    const ok = checks.every(({ level }) => level !== 'error')
    print(json ? JSON.stringify({ ok, checks }) : findingLines(checks).join('\n'))
    if (!ok) process.exitCode = 1
  },
})
