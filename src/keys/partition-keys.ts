import { archiveKeys } from './archive-keys.ts'
import { declare, type KeyDeclaration } from './declaration.ts'
import { rebuildKeys } from './rebuild-keys.ts'
import { stageKeys } from './stage-keys.ts'

/** Keys of a partition. */
export const partitionKeys = {
  invalid: declare({
    name: 'orders:invalid',
    kind: 'stream',
    owner: 'partition',
    erase: 'invalid',
    holds: 'every rejected record: `code`, `record` (JSON)',
  }),
  invalidOrders: declare({
    name: 'invalid_orders',
    kind: 'list',
    owner: 'partition',
    erase: 'invalid',
    holds: 'the rejected records, newest first: JSON `{id, order, raw?, code, reason, ts, attempts, …}`',
  }),
  discarded: declare({
    name: 'orders:discarded',
    kind: 'stream',
    owner: 'partition',
    erase: 'discarded',
    holds: 'rejected records that an operator discarded: `record`, `reason`, `by`, `ts`',
  }),
  globalStats: declare({
    name: 'global:stats',
    kind: 'hash',
    owner: 'partition',
    erase: 'none',
    holds: '`total_orders`, `total_revenue_minor`',
  }),
  leaderboardSpend: declare({
    name: 'leaderboard:spend',
    kind: 'zset',
    owner: 'partition',
    erase: 'totals',
    holds: 'user → minor units',
  }),
  leaderboardOrders: declare({
    name: 'leaderboard:orders',
    kind: 'zset',
    owner: 'partition',
    erase: 'totals',
    holds: 'user → orders',
  }),
  /** See stages/calendar.ts. */
  day: declare({
    name: 'day:<day>',
    kind: 'hash',
    owner: 'partition',
    erase: 'none',
    holds: '`orders`, `revenue`, `cancelled`, `refunded`, `undated`, `misdated` of a day; expires with its month',
  }),
  periodBoard: declare({
    name: 'leaderboard:<period>:<board>',
    kind: 'zset',
    owner: 'partition',
    erase: 'totals',
    holds: 'user → minor units (`spend`) or orders (`orders`) in a day, week or month; expires by `CALENDAR_KEEP`',
  }),
  /** Not `user:<id>:<month>`: a user may be named `x:2026-11`. The month has a fixed length, so no id is mistaken for it. */
  monthly: declare({
    name: 'monthly:<month>:<id>',
    kind: 'hash',
    owner: 'user',
    erase: 'totals',
    holds:
      "a user's `orders` and `spend` in a month, `25:orders` and `25:spend` on its days, `W48:…` on those of its days that are in a week; expires by `CALENDAR_KEEP`",
  }),
  /** See ops/reconcile/token.ts. */
  compared: declare({
    name: 'pipeline:compared',
    kind: 'string',
    owner: 'partition',
    erase: 'none',
    holds:
      'token of the last comparison by `orders rebuild` or `orders verify --repair`, of days too; whatever corrects or moves numbers replaces it, and then what was compared is not added; expires after a day',
  }),
  /** The books. */
  counters: declare({
    name: 'pipeline:counters',
    kind: 'hash',
    owner: 'partition',
    erase: 'none',
    holds:
      '`received`, `admitted`, `corrected`, `corrected:<kind>`, `duplicates`, `rejected`, `rejected:<code>`, `applied`, `applied:corrections` (by how much corrections keep `total_orders` below `applied`), `ranked`, `replayed`, `discarded`, `erased:invalid`, `expired:invalid`, `erased:discarded`, `expired:discarded`, `<stage>:rejected`, `<stage>:missed`, `<stage>:lost`, `<stage>:foreign`, `flip:lowered:<counter>` (by how much flips of `orders rebuild` have lowered it)',
  }),
  /** See stages/calendar-books.ts. */
  calendarBooks: declare({
    name: 'pipeline:calendar',
    kind: 'hash',
    owner: 'partition',
    erase: 'none',
    holds:
      '`<month>:orders`, `<month>:revenue` of all that the calendar has counted; `since`, `before:orders`, `before:revenue`: when it began, and what is in no day',
  }),
  /** How many records of the ledger were written in each generation: so many must be there. */
  ledgerCounts: declare({
    name: 'pipeline:ledger-counts',
    kind: 'hash',
    owner: 'partition',
    erase: 'none',
    holds: 'generation → records that were written into the ledger',
  }),
  ...archiveKeys,
  /** Of the data, see ops/incidents/scan.lua; that of the server is RedisIncarnation in ingest/durability.ts. */
  incarnation: declare({
    name: 'pipeline:incarnation',
    kind: 'string',
    owner: 'partition',
    erase: 'none',
    holds: 'an id made once: another one means that the data was deleted or replaced',
  }),
  /** See ingest/proof/barrier.ts. */
  barrier: declare({
    name: 'pipeline:barrier',
    kind: 'string',
    owner: 'partition',
    erase: 'none',
    holds: 'written after other writes, to find out whether Redis has made them durable',
  }),
  /** See ops/verify/counted-feed.ts. */
  trimHold: declare({
    name: 'pipeline:trim-hold',
    kind: 'string',
    owner: 'partition',
    erase: 'none',
    holds: 'how far `orders verify` or `repartition` has read `orders:counted`: the rest is not trimmed meanwhile',
  }),
  layoutKey: declare({
    name: 'pipeline:layout',
    kind: 'string',
    owner: 'partition',
    erase: 'none',
    holds: 'the number of partitions since `orders repartition`: a process that writes by another is refused',
  }),
  /** See stages/erasure/erasures.ts. */
  erased: declare({
    name: 'pipeline:erased',
    kind: 'hash',
    owner: 'partition',
    erase: 'hashes',
    holds:
      'hash of an erased user of any partition → time and id of the erasure; `<hash> moved` once the totals have moved',
  }),
  ...stageKeys,
  invalidGroup: declare({
    name: 'invalid:<group>',
    kind: 'zset',
    owner: 'partition',
    erase: 'none',
    holds: 'ids of the rejected records of one reason, in order; finds, counts and groups them',
  }),
  /** See ops/jobs/retries.ts. */
  retries: declare({
    name: 'pipeline:retries',
    kind: 'hash',
    owner: 'partition',
    erase: 'none',
    holds: 'reason and number of the delay → the last invalid order that was looked at for a retry after it',
  }),
  ...rebuildKeys,
  outcome: declare({
    name: 'outcome:<job>',
    kind: 'hash',
    owner: 'job',
    erase: 'outcomes',
    holds: 'what became of the orders that a job requeued; kept for 7 days',
  }),
  userStats: declare({
    name: 'user:<id>',
    kind: 'hash',
    owner: 'user',
    erase: 'totals',
    holds: '`order_count`, `total_spend_minor`',
  }),
  /** Orders of one generation (`LEDGER_DAYS` long) whose identity hashes to this bucket. */
  ledger: declare({
    name: 'ledger:<generation>:<bucket>',
    kind: 'hash',
    owner: 'order',
    erase: 'hashes',
    holds:
      'hash of an admitted identity → fingerprint and minor units, and what corrections have left of them; hash of a correction → fingerprint',
  }),
} satisfies Record<string, KeyDeclaration>

/** Work streams of a partition: one for each channel of the pipeline. */
export const channelKey: KeyDeclaration = {
  name: 'orders:<channel>',
  kind: 'stream',
  owner: 'partition',
  erase: 'stages',
  holds: 'work of a channel (`raw`, `valid`, `counted`): record batches, read by a consumer group per stage',
}
