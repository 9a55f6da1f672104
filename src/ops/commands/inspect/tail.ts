import { z } from 'zod'
import type { Snapshot } from '../../../api/live/snapshot.ts'
import { type Money, moneyOf } from '../../../order/money.ts'
import { countText } from '../../../reads/count-text.ts'
import { defineCommand, flag } from '../../command.ts'
import { pausedLines, unreadLines } from '../../terminal/notes.ts'
import { ageText, amountText, ordersText, receivedText, shortCount } from '../../terminal/numbers.ts'
import { clearTerminal, type Line, printError, red, sentence, yellow } from '../../terminal/output.ts'
import { jsonLine } from '../../terminal/printable.ts'
import { apiSource, redisSource } from '../../terminal/snapshot-source.ts'
import { table } from '../../terminal/table.ts'
import { clockText } from '../../terminal/times.ts'
import { cutTo } from '../../terminal/wrapped.ts'

/** Rows per leaderboard and list, so that everything fits a terminal. */
const shown = 5

/** Formats a snapshot as lines. */
export function snapshotLines(snapshot: Snapshot): Line[] {
  const { at, hops, totals, critical, top, failed, unread } = snapshot
  const money = { decimals: snapshot.decimals ?? moneyOf().decimals }
  const revenue = totals.revenue_minor === null ? '–' : amountText(totals.revenue_minor, money)
  return [
    headLine(snapshot),
    '',
    ...hopLines(hops, new Date(at)),
    '',
    sentence(
      `counted  ${ordersText(totals.counted, '–')}, ${revenue} revenue; ${number(totals.ranked)} ranked; from SQS to rank p50 ${ms(critical.p50_ms)}, p99 ${ms(critical.p99_ms)}`,
      '  ',
    ),
    sentence(
      `${receivedText({ ...totals, corrected: totals.corrected ?? null }, '–')}; ${totals.corrected ? `${number(totals.corrected)} corrections, ` : ''}${number(totals.duplicates)} duplicates, ${number(totals.rejected)} rejected, ${number(totals.waiting)} waiting, ${number(totals.invalid)} in the invalid channel`,
      '  ',
    ),
    ...boardLines(top, money),
    ...failedLines(failed),
    ...unreadLines(unread),
  ]
}

function headLine({ at, sqs, books, memory }: Snapshot): Line {
  const queue = sqs ? `${number(sqs.visible)} waiting, ${number(sqs.in_flight)} in flight` : 'not known'
  const letters = sqs?.dead_letters ? `, ${number(sqs.dead_letters)} DEAD LETTERS` : ''
  const text = `${clock(at)}  ${booksText(books)}  Redis ${memoryText(memory)}  SQS ${queue}${letters}`
  const isWrong = books.balanced === false
  return sentence(text, '  ', isWrong ? 'red' : letters ? 'yellow' : undefined)
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

function hopLines(hops: Snapshot['hops'], now: Date): Line[] {
  const head = ['hop', 'orders/s', 'waiting', 'wait p50', 'p99', 'in flight', 'oldest', 'processes']
  const rows = hops.map(({ name, per_second, waiting, p50_ms, p99_ms, pending, oldest_waiting_ms, processes }) => [
    ...[name, short(Math.round(per_second)), short(waiting), ms(p50_ms), ms(p99_ms)],
    ...[short(pending), oldest_waiting_ms === null ? '–' : ageText(oldest_waiting_ms), short(processes)],
  ])
  const colored = table([head, ...rows]).map((row, at) => {
    const hop = hops[at - 1]
    if (hop?.stall) return red(row)
    return hop?.paused ? yellow(row) : row
  })
  const paused = Object.fromEntries(hops.flatMap(({ name, paused }) => (paused ? [[name, paused]] : [])))
  const stalls = hops.flatMap(({ stall }) => (stall === null ? [] : sentence(stall, '  ', 'red')))
  return [...colored, ...stalls, ...pausedLines(paused, now)]
}

function boardLines({ spend, orders }: Snapshot['top'], money: Pick<Money, 'decimals'>): string[] {
  if (spend.length === 0) return []
  const rows = spend.slice(0, shown).map(({ user_id, spend_minor }, at) => {
    const other = orders[at]
    const name = (text: string): string => cutTo(maxName, text)
    return [
      `${at + 1}. ${name(user_id)}`,
      amountText(spend_minor, money),
      other ? name(other.user_id) : '',
      number(other?.orders ?? null),
    ]
  })
  return ['', ...table([['by spend', '', 'by orders', ''], ...rows])]
}

/** With it a row of two names and two numbers of billions fits 80 columns. */
const maxName = 20

function failedLines(failed: Snapshot['failed']): string[] {
  if (failed.length === 0) return []
  const rows = failed
    .slice(0, shown)
    .map(({ code, count, last, reason }) => [`${code}: ${reason}`, number(count), clock(last)])
  const more = failed.length > shown ? [`and ${failed.length - shown} reasons more`] : []
  return ['', ...table([['failed', 'orders', 'last'], ...rows]), ...more]
}

const number = (value: number | null): string => (value === null ? '–' : countText(value))
const short = (value: number | null): string => (value === null ? '–' : shortCount(value))
/** In eight characters. */
const ms = (value: number | null): string => {
  if (value === null) return '–'
  return value < 9_999.5 ? `${number(Math.round(value))} ms` : `${shortCount(Math.round(value / 1_000))} s`
}
const clock = (time: string): string => clockText(new Date(time))

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
