import { auditOf, auditReply } from '../../../api/replies/audit.ts'
import { readAudit } from '../../../control/audit-log.ts'
import { defineCommand, flag, wholeNumber } from '../../command.ts'
import { openCommandApp } from '../../open/command-app.ts'
import { auditLines } from '../../terminal/audit-text.ts'
import { jsonLine } from '../../terminal/printable.ts'
import { defaultWidth } from '../../terminal/wrapped.ts'

export const command = defineCommand({
  name: 'audit',
  about: 'Shows the actions of admins, newest first: what, by whom and when.',
  examples: ['audit', 'audit --limit 100 --json'],
  page: 'docs/how-to/pause-and-drain.md',
  options: {
    limit: wholeNumber('maximum number of entries', 20, { min: 1, max: 10_000 }),
    json: flag('as JSON, one object a line'),
  },
  run: async ({ config, options: { limit, json }, print, stdout: { isTTY, columns } }) => {
    await using app = await openCommandApp(config)
    const entries = await readAudit(app.redis, app.control, { limit })
    if (json) for (const entry of entries) print(jsonLine(auditReply.parse(auditOf(entry))))
    else print(auditLines(entries, app.now(), isTTY ? columns || defaultWidth : undefined))
  },
})
