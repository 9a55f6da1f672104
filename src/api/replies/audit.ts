import { z } from 'zod'
import { type AuditEntry, parseWhat } from '../../control/audit-log.ts'

/** An entry of the audit log as the API and `orders audit --json` show it. */
export const auditReply = z
  .object({
    id: z.string(),
    ts: z.iso.datetime(),
    action: z.string().meta({
      description: 'One word, such as `pause`, `replay`, `edit` or `discard`, the same for API and commands.',
    }),
    by: z
      .string()
      .meta({ description: 'X-Operator, the user name of a login, or for a command the user of the system.' }),
    what: z.unknown().meta({
      description:
        'Parameters, body and the job that was queued. Long values are cut; `sha256` is then the hash of the body.',
    }),
    outcome: z.string().meta({
      description: '`begun` until it ends, or forever if its process died; then `done`, a status, or why it failed.',
    }),
  })
  .meta({ id: 'AuditEntry' })

export const auditOf = (entry: AuditEntry): z.input<typeof auditReply> => ({ ...entry, what: parseWhat(entry.what) })
