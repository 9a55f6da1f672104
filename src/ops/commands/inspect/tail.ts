import { z } from 'zod'
import type { Snapshot } from '../../../api/live/snapshot.ts'
import { countText } from '../../../reads/count-text.ts'
import { durationText } from '../../../reads/stalls.ts'
import { defineCommand, flag } from '../../command.ts'
import { unreadLines } from '../../terminal/notes.ts'
import { money, ordersText } from '../../terminal/numbers.ts'
import { clearTerminal, printError } from '../../terminal/output.ts'
import { jsonLine } from '../../terminal/printable.ts'
import { apiSource, redisSource } from '../../terminal/snapshot-source.ts'
import { shortName, table } from '../../terminal/table.ts'

/** Rows per leaderboard and list, so that everything fits a terminal. */
const shown = 5

/** Formats a snapshot as lines. */
export function snapshotLines({
  at,
  hops,
  sqs,
  totals,
  critical,
  top,
  failed,
  books,
  memory,
  unread,
}: Snapshot): string[] {
  const queue = sqs ? `${number(sqs.visible)} waiting, ${number(sqs.in_flight)} in flight` : 'not known'
  const letters = sqs?.dead_letters ? `, ${number(sqs.dead_letters)} DEAD LETTERS` : ''
  return [
    `${clock(at)}  ${booksText(books)}  Redis ${memoryText(memory)}  SQS ${queue}${letters}`,
    '',
    ...hopLines(hops),
    '',
    `counted  ${ordersText(totals.counted, '–')}, ${totals.revenue_minor === null ? '–' : money(totals.revenue_minor)} revenue; ${number(totals.ranked)} ranked; from SQS to rank p50 ${ms(critical.p50_ms)}, p99 ${ms(critical.p99_ms)}`,
    `received ${number(totals.received)}; ${number(totals.duplicates)} duplicates, ${number(totals.rejected)} rejected, ${number(totals.waiting)} waiting, ${number(totals.invalid)} in the invalid channel`,
    ...boardLines(top),
    ...failedLines(failed),
    ...unreadLines(unread),
  ]
}

function memoryText(memory: Snapshot['memory']): string {
  if (memory === null) return 'memory not known'
  const { used_bytes: used, most_bytes: max } = memory
  const share = max === null ? '' : ` of ${number(max)} (${Math.round((used / max) * 100)} %)`
  return `${number(used)} bytes${share}`
}

function booksText({ balanced, differences }: Snapshot['books']): string {
  if (balanced === null) return 'Books not known'
  return balanced ? 'Books balance' : `BOOKS ARE OFF: ${differences.join(' ')}`
}

function hopLines(hops: Snapshot['hops']): string[] {
  const head = ['hop', 'orders/s', 'waiting', 'wait p50', 'p99', 'in flight', 'oldest', 'processes']
  const rows = hops.map(({ name, per_second, waiting, p50_ms, p99_ms, pending, oldest_waiting_ms, processes }) => [
    ...[name, number(Math.round(per_second)), number(waiting), ms(p50_ms), ms(p99_ms)],
    ...[number(pending), oldest_waiting_ms === null ? '–' : durationText(oldest_waiting_ms), number(processes)],
  ])
  const paused = hops.flatMap(({ name, paused }) => {
    if (!paused) return []
    const since = paused.ts ? ` since ${clock(paused.ts)}` : ''
    return `${name} is PAUSED by ${shortName(paused.by)}${since}${paused.reason ? `: ${paused.reason}` : ''}`
  })
  return [...table([head, ...rows]), ...hops.flatMap(({ stall }) => stall ?? []), ...paused]
}

function boardLines({ spend, orders }: Snapshot['top']): string[] {
  if (spend.length === 0) return []
  const rows = spend.slice(0, shown).map(({ user_id, spend_minor }, at) => {
    const other = orders[at]
    return [
      `${at + 1}. ${shortName(user_id)}`,
      money(spend_minor),
      other ? shortName(other.user_id) : '',
      number(other?.orders ?? null),
    ]
  })
  return ['', ...table([['by spend', '', 'by orders', ''], ...rows])]
}

function failedLines(failed: Snapshot['failed']): string[] {
  if (failed.length === 0) return []
  const rows = failed
    .slice(0, shown)
    .map(({ code, count, last, reason }) => [`${code}: ${reason}`, number(count), clock(last)])
  const more = failed.length > shown ? [`and ${failed.length - shown} reasons more`] : []
  return ['', ...table([['failed', 'orders', 'last'], ...rows]), ...more]
}

const number = (value: number | null): string => (value === null ? '–' : countText(value))
const ms = (value: number | null): string => (value === null ? '–' : `${number(Math.round(value))} ms`)
const clock = (time: string): string => new Date(time).toLocaleTimeString('en-GB')

export const command = defineCommand({
  name: 'tail',
  about: 'Shows the pipeline live, each second: rates, waiting orders and times, top users and failures.',
  examples: ['tail', 'tail --url http://localhost:8000'],
  page: 'docs/how-to/monitor.md',
  options: {
    url: {
      hint: 'URL',
      about: 'reads from this API, such as http://localhost:8000 (default: from Redis itself)',
      expected: 'an http:// or https:// URL',
      schema: z.url({ protocol: /^https?$/ }).optional(),
    },
    json: flag('as JSON, one object a line'),
  },
  run: async ({ config, options: { url, json }, signal, print }) => {
    const sources = url === undefined ? redisSource(config, signal) : apiSource(url, signal)
    for await (const source of sources) {
      if (!json) clearTerminal()
      if ('away' in source) printError(source.away)
      else print(json ? jsonLine(source.snapshot) : [...snapshotLines(source.snapshot), ''])
    }
  },
})
