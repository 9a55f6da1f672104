import type { Steering } from '../../../control/pauses.ts'
import { openBacklog } from '../../../reads/backlog.ts'
import { foreignNote, missingNote } from '../../../reads/findings.ts'
import { unreadText } from '../../../reads/readings.ts'
import { readStatus, type Status } from '../../../reads/status.ts'
import { defineCommand, flag } from '../../command.ts'
import { withRunning } from '../../local/running-system.ts'
import { openApp } from '../../open/open-app.ts'
import { jsonLine, printable } from '../../terminal/printable.ts'
import { show } from '../../terminal/watch.ts'

/** What was rejected, by code, most first. */
export function rejectedByCode(counters: Readonly<Record<string, number>>): [code: string, orders: number][] {
  const prefix = 'rejected:'
  return Object.entries(counters)
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, orders]): [string, number] => [name.slice(prefix.length), orders])
    .sort(([, a], [, b]) => b - a)
}

/** The status as lines for people. */
export function statusLines({ counters, totals, invalid, stages, paused, unread }: Status): string[] {
  const of = (name: string): number | null => (counters ? (counters[name] ?? 0) : null)
  const number = (value: number | null): string => (value === null ? '?' : value.toLocaleString('en'))
  const [first] = stages
  const columns = ['stage', 'waiting', 'pending', 'lag', 'consumers']
  const rows = stages.map(({ stage, waiting, pending, lag, consumers }) => [
    stage,
    ...[waiting, pending, lag, consumers].map(number),
  ])
  return [
    `received ${number(of('received'))} = admitted ${number(of('admitted'))} + duplicates ${number(of('duplicates'))}` +
      ` + rejected ${number(of('rejected'))} + lost ${number(of(`${first?.stage}:lost`))}` +
      ` + waiting ${number(first?.waiting ?? null)} (for ${first?.stage})`,
    `counted  ${number(totals?.orders ?? null)} orders, ${totals ? money(totals.minor) : '?'} revenue; ${number(of('ranked'))} ranked; ${number(invalid)} in the invalid channel`,
    '',
    ...table([columns, ...rows]),
    '',
    'waiting: orders; pending: entries delivered, not acknowledged; lag: entries not delivered yet',
    ...stages.flatMap(missingNote),
    ...stages.flatMap(({ stage }) => foreignNote(stage, of(`${stage}:foreign`))),
    ...pausedLines(paused ?? {}),
    ...unreadLines(unread),
  ]
}

/** What is shown as `?`, why, and what to do; none where all could be read. */
export function unreadLines(unread: Status['unread']): string[] {
  if (unread.length === 0) return []
  return ['', ...unread.map(unreadText), 'See orders doctor for what to do.']
}

/** None where everything runs. */
export function pausedLines(paused: Steering): string[] {
  return Object.entries(paused).map(([part, { by, ts, reason }]) =>
    [`${part} is paused by ${by}`, ts && ` since ${ts}`, reason && ` (${reason})`, '.'].filter(Boolean).join(''),
  )
}

export function money(minor: number): string {
  return (minor / 100).toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 })
}

/** Columns as wide as their widest cell; the first to the left, numbers to the right. */
export function table(cells: readonly (readonly string[])[]): string[] {
  const rows = cells.map((row) => row.map(printable))
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  '),
  )
}

export const statusCommand = defineCommand({
  name: 'status',
  about: 'Shows what waits where, the totals and the counters.',
  options: { watch: flag('show it again every second'), json: flag('as JSON, one object a line') },
  run: async ({ config, options: { watch, json }, signal, print }) => {
    await using app = await openApp({ ...withRunning(config), logLevel: 'silent' }, 'ask')
    const readBacklog = openBacklog(app)
    await show({ watch, json, signal, print }, async () => {
      const status = await readStatus(app.redis, app, readBacklog)
      return json ? jsonLine(status) : statusLines(status)
    })
  },
})
