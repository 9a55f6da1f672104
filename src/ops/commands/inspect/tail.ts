import { z } from 'zod'
import type { Snapshot } from '../../../api/live/snapshot.ts'
import { defineCommand, flag } from '../../command.ts'
import { clearTerminal, printError } from '../../terminal/output.ts'
import { jsonLine, printable } from '../../terminal/printable.ts'
import { looksAtApi, looksAtRedis } from '../../terminal/snapshot-source.ts'
import { money, table, unreadLines } from './status.ts'

/** Of each board and of what fails, so many: all of it fits a terminal. */
const shown = 5

/** A snapshot as lines for people. */
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
    `${clock(at)}  ${booksTold(books)}  Redis ${memoryTold(memory)}  SQS ${queue}${letters}`,
    '',
    ...hopLines(hops),
    '',
    `counted  ${number(totals.counted)} orders, ${totals.revenue_minor === null ? '–' : money(totals.revenue_minor)} revenue; ${number(totals.ranked)} ranked; from SQS to rank p50 ${ms(critical.p50_ms)}, p99 ${ms(critical.p99_ms)}`,
    `received ${number(totals.received)}; ${number(totals.duplicates)} duplicates, ${number(totals.rejected)} rejected, ${number(totals.waiting)} waiting, ${number(totals.invalid)} in the invalid channel`,
    ...boardLines(top),
    ...failedLines(failed),
    ...unreadLines(unread),
  ]
}

function memoryTold(memory: Snapshot['memory']): string {
  if (memory === null) return 'memory not known'
  const { used_bytes: used, most_bytes: most } = memory
  const share = most === null ? '' : ` of ${number(most)} (${Math.round((used / most) * 100)} %)`
  return `${number(used)} bytes${share}`
}

function booksTold({ balanced, differences }: Snapshot['books']): string {
  if (balanced === null) return 'Books not known'
  return balanced ? 'Books balance' : `BOOKS ARE OFF: ${differences.join(' ')}`
}

function hopLines(hops: Snapshot['hops']): string[] {
  const head = ['hop', 'orders/s', 'waiting', 'wait p50', 'p99', 'in hand', 'oldest', 'consumers']
  const rows = hops.map(({ name, per_second, waiting, p50_ms, p99_ms, pending, oldest_pending_ms, consumers }) => [
    ...[name, number(Math.round(per_second)), number(waiting), ms(p50_ms), ms(p99_ms)],
    ...[number(pending), ms(oldest_pending_ms), number(consumers)],
  ])
  const paused = hops.flatMap(({ name, paused }) => {
    if (!paused) return []
    const since = paused.ts ? ` since ${clock(paused.ts)}` : ''
    return `${name} is PAUSED by ${shortName(paused.by)}${since}${paused.reason ? `: ${paused.reason}` : ''}`
  })
  return [...table([head, ...rows]), ...paused]
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

const number = (value: number | null): string => (value === null ? '–' : value.toLocaleString('en'))
const ms = (value: number | null): string => (value === null ? '–' : `${number(Math.round(value))} ms`)
const clock = (time: string): string => new Date(time).toLocaleTimeString('en-GB')

const longestName = 32

function shortName(name: string): string {
  const text = printable(name)
  return text.length > longestName ? `${text.slice(0, longestName - 1)}…` : text
}

export const tailCommand = defineCommand({
  name: 'tail',
  about: 'Shows the line live, each second: rates, what waits where and how long, who leads and what fails.',
  options: {
    url: {
      hint: 'URL',
      about: 'from the API there, such as http://localhost:8000 (default from Redis itself)',
      expected: 'an http:// or https:// URL',
      schema: z.url({ protocol: /^https?$/ }).optional(),
    },
    json: flag('as JSON, one object a line'),
  },
  run: async ({ config, options: { url, json }, signal, print }) => {
    const looks = url === undefined ? looksAtRedis(config, signal) : looksAtApi(url, signal)
    for await (const look of looks) {
      if (!json) clearTerminal()
      if ('away' in look) printError(look.away)
      else print(json ? jsonLine(look.snapshot) : [...snapshotLines(look.snapshot), ''])
    }
  },
})
