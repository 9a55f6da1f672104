import { declare, type KeyDeclaration } from './declaration.ts'

/** Keys of the whole system, which carry the tag of the first partition where there are partitions. */
export const controlKeys = {
  /** See control/pauses.ts. */
  pauses: declare({
    name: 'pipeline:pauses',
    kind: 'hash',
    owner: 'whole',
    erase: 'none',
    holds: 'a field per paused component: JSON `{by, ts, reason?}`; a component without one runs',
  }),
  /** See control/audit-log.ts. */
  audit: declare({
    name: 'pipeline:audit',
    kind: 'stream',
    owner: 'whole',
    erase: 'audit',
    holds:
      'the admin audit log, the last 20,000 entries of 400 days, 5,000 of one name: `action`, `by`, `what` (JSON), `outcome`',
  }),
  auditActors: declare({
    name: 'pipeline:audit:actors',
    kind: 'zset',
    owner: 'whole',
    erase: 'none',
    holds: 'entries of the audit log by name',
  }),
  /** See stages/erasure/receipt.ts. */
  erasures: declare({
    name: 'pipeline:erasures',
    kind: 'hash',
    owner: 'whole',
    erase: 'hashes',
    holds: 'erasures under way: `<hash> <place> <record>` of what was found, until the receipt is in the audit log',
  }),
  /** See control/undo/undos.ts. */
  undos: declare({
    name: 'pipeline:undos',
    kind: 'hash',
    owner: 'whole',
    erase: 'hashes',
    holds: '`<phase> <name>` of an undo → JSON, written once: `asked`, `radius`, `undone`, `redo`, `redone`',
  }),
  /** See ops/incidents/losses.ts. */
  losses: declare({
    name: 'pipeline:losses',
    kind: 'hash',
    owner: 'whole',
    erase: 'none',
    holds: 'per stage the missing orders that the log has reported',
  }),
  lossesTurn: declare({
    name: 'pipeline:losses:turn',
    kind: 'string',
    owner: 'whole',
    erase: 'none',
    holds: 'held for seconds by the process that looks for missing orders',
    transient: true,
  }),
  retriesTurn: declare({
    name: 'pipeline:retries:turn',
    kind: 'string',
    owner: 'whole',
    erase: 'none',
    holds: 'held for a second by the process that retries invalid orders',
    transient: true,
  }),
  archiveTurn: declare({
    name: 'pipeline:archive:turn',
    kind: 'string',
    owner: 'whole',
    erase: 'none',
    holds: 'held for an hour by the process that removes old segments of the archive',
    transient: true,
  }),
  /** See control/dead-letters.ts. */
  deadLetters: declare({
    name: 'pipeline:dead-letters',
    kind: 'string',
    owner: 'whole',
    erase: 'none',
    holds:
      'the messages in the dead-letter queue as a bridge counted them: JSON `{messages, since, at}`, for 5 minutes',
    transient: true,
  }),
  /** See control/presence.ts. */
  presence: declare({
    name: 'pipeline:presence',
    kind: 'hash',
    owner: 'whole',
    erase: 'none',
    holds: '`<role> <instance>` → end of its life, renewed each second; `<role>` → its last progress',
    transient: true,
  }),
  /** See reads/timeline.ts. */
  timeline: declare({
    name: 'pipeline:timeline:<slot>',
    kind: 'hash',
    owner: 'whole',
    erase: 'none',
    holds: 'how long orders took in ten seconds, for the last quarter of an hour',
    transient: true,
  }),
  /** See stages/runner/leases.lua. */
  members: declare({
    name: 'pipeline:members:<stage>',
    kind: 'zset',
    owner: 'whole',
    erase: 'none',
    holds: 'with partitions: the processes that run the stage',
    transient: true,
  }),
  leases: declare({
    name: 'pipeline:leases:<stage>',
    kind: 'hash',
    owner: 'whole',
    erase: 'none',
    holds: 'with partitions: which process has which partition of the stage',
    transient: true,
  }),
} satisfies Record<string, KeyDeclaration>

/** Keys that are the same whatever the partitions. */
export const bareKeys = {
  manifest: declare({
    name: 'pipeline:manifest',
    kind: 'hash',
    owner: 'whole',
    erase: 'none',
    holds: 'settings that must not change under a running system, and a repartition or an adoption under way',
  }),
  incidents: declare({
    name: 'pipeline:incidents',
    kind: 'hash',
    owner: 'whole',
    erase: 'none',
    holds:
      'what happened to the data from outside: JSON `{kind, place, ts, orders, text}`, until an operator acknowledges it',
  }),
  lock: declare({
    name: 'pipeline:repartition',
    kind: 'string',
    owner: 'whole',
    erase: 'none',
    holds:
      'held by the one command that rewrites numbers: `orders repartition`, `adopt`, `rebuild`, `backfill`, `erase`, `verify --repair` or `--acknowledge`, `archive leave`',
    transient: true,
  }),
} satisfies Record<string, KeyDeclaration>
