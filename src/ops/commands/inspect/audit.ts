import { type AuditEntry, parseWhat, readAudit } from '../../../control/audit-log.ts'
import { defineCommand, flag, wholeNumber } from '../../command.ts'
import { openCommandApp } from '../../open/command-app.ts'
import { jsonLine } from '../../terminal/printable.ts'

export const command = defineCommand({
  name: 'audit',
  about: 'Shows the actions of admins, newest first: what, by whom and when.',
  examples: ['audit', 'audit --limit 100 --json'],
  page: 'docs/how-to/pause-and-drain.md',
  options: {
    limit: wholeNumber('maximum number of entries', 20, { min: 1, max: 10_000 }),
    json: flag('as JSON, one object a line'),
  },
  run: async ({ config, options: { limit, json }, print }) => {
    await using app = await openCommandApp(config)
    const entries = await readAudit(app.redis, app.control, { limit })
    const lines = json
      ? entries.map((entry) => jsonLine({ ...entry, what: parseWhat(entry.what) }))
      : auditLines(entries)
    for (const line of lines) print(line)
  },
})

function auditLines(entries: readonly AuditEntry[]): string[] {
  if (entries.length === 0) return ['There is no action of an admin yet.']
  const width = (name: 'by' | 'action'): number => Math.max(...entries.map((entry) => entry[name].length))
  const [byWidth, actionWidth] = [width('by'), width('action')]
  return entries.map(({ ts, by, action, what, outcome }) => {
    const ended = /^(done|2\d\d|)$/.test(outcome) ? '' : `  (${outcome === 'begun' ? 'begun, not ended' : outcome})`
    return `${ts}  ${by.padEnd(byWidth)}  ${action.padEnd(actionWidth)}  ${what}${ended}`
  })
}
