import { userInfo } from 'node:os'
import { type AuditEntry, parseWhat, readAudit } from '../../../control/audit-log.ts'
import { defineCommand, flag, wholeNumber } from '../../command.ts'
import { withRunning } from '../../local/running-system.ts'
import { openApp } from '../../open/open-app.ts'
import { jsonLine } from '../../terminal/printable.ts'

/** Who runs this command: the user of the operating system. A container's may have a number and no name. */
export function operatingUser(): string {
  try {
    return userInfo().username
  } catch {
    return `user ${process.getuid?.()}`
  }
}

export const auditCommand = defineCommand({
  name: 'audit',
  about: 'Shows what was done as an admin, by whom and when, newest first.',
  options: {
    limit: wholeNumber('how many at most', 20, { min: 1, max: 10_000 }),
    json: flag('as JSON, one object a line'),
  },
  run: async ({ config, options: { limit, json }, print }) => {
    await using app = await openApp({ ...withRunning(config), logLevel: 'silent' }, 'ask')
    const entries = await readAudit(app.redis, app.control, { limit })
    const lines = json
      ? entries.map((entry) => jsonLine({ ...entry, what: parseWhat(entry.what) }))
      : auditLines(entries)
    for (const line of lines) print(line)
  },
})

function auditLines(entries: readonly AuditEntry[]): string[] {
  if (entries.length === 0) return ['Nothing was done as an admin yet.']
  const width = (name: 'by' | 'action'): number => Math.max(...entries.map((entry) => entry[name].length))
  const [byWidth, actionWidth] = [width('by'), width('action')]
  return entries.map(({ ts, by, action, what, outcome }) => {
    const ended = /^(done|2\d\d|)$/.test(outcome) ? '' : `  (${outcome === 'begun' ? 'begun, not ended' : outcome})`
    return `${ts}  ${by.padEnd(byWidth)}  ${action.padEnd(actionWidth)}  ${what}${ended}`
  })
}
