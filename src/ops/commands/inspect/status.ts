import { openBacklog } from '../../../reads/backlog.ts'
import { countText } from '../../../reads/count-text.ts'
import { foreignNote, missingNote } from '../../../reads/findings.ts'
import { durationText } from '../../../reads/stalls.ts'
import { openStatus, type Status, stallsOf, unknownStallsOf } from '../../../reads/status.ts'
import { defineCommand, flag } from '../../command.ts'
import { openCommandApp } from '../../open/command-app.ts'
import { pausedLines, unreadLines } from '../../terminal/notes.ts'
import { money, ordersText } from '../../terminal/numbers.ts'
import { jsonLine } from '../../terminal/printable.ts'
import { table } from '../../terminal/table.ts'
import { show } from '../../terminal/watch.ts'

/** Formats the status as lines. */
export function statusLines(status: Status): string[] {
  const { counters, totals, invalid, stages, paused, unread } = status
  const of = (name: string): number | null => (counters ? (counters[name] ?? 0) : null)
  const number = (value: number | null): string => (value === null ? '?' : countText(value))
  const [first] = stages
  const columns = ['stage', 'processes', 'waiting', 'oldest', 'pending', 'lag', 'consumers']
  const rows = stages.map(({ stage, processes, waiting, oldestWaitingMs, pending, lag, consumers }) => [
    ...[stage, number(processes), number(waiting)],
    ...[oldestWaitingMs === null ? '–' : durationText(oldestWaitingMs), ...[pending, lag, consumers].map(number)],
  ])
  return [
    `received ${number(of('received'))} = admitted ${number(of('admitted'))} + duplicates ${number(of('duplicates'))}` +
      ` + rejected ${number(of('rejected'))} + lost ${number(of(`${first?.stage}:lost`))}` +
      ` + waiting ${number(first?.waiting ?? null)} (for ${first?.stage})`,
    `counted  ${ordersText(totals?.orders ?? null, '?')}, ${totals ? money(totals.minor) : '?'} revenue; ${number(of('ranked'))} ranked; ${number(invalid)} in the invalid channel`,
    '',
    ...table([columns, ...rows]),
    '',
    'waiting: orders; pending: entries delivered, not acknowledged; lag: entries not delivered yet',
    ...stallsOf(status),
    ...stages.flatMap(missingNote),
    ...stages.flatMap(({ stage }) => foreignNote(stage, of(`${stage}:foreign`))),
    ...pausedLines(paused ?? {}),
    ...unreadLines(unread),
  ]
}

export const command = defineCommand({
  name: 'status',
  about: 'Shows the orders that wait in each stage, the totals and the counters.',
  examples: ['status', 'status --watch', 'status --check'],
  page: 'docs/how-to/monitor.md',
  options: {
    watch: flag('shows it again every second'),
    json: flag('as JSON, one object a line'),
    check: flag(
      'ends with exit code 1 if a component has no process, or stands still while orders wait, or if that cannot be read',
    ),
  },
  run: async ({ config, options: { watch, json, check }, signal, print, fail }) => {
    await using app = await openCommandApp(config)
    const read = openStatus(app.redis, app, openBacklog(app))
    await show({ watch, json, signal, print }, async () => {
      const status = await read()
      if (check && stallsOf(status).length + unknownStallsOf(status).length > 0) fail()
      return json ? jsonLine(status) : statusLines(status)
    })
  },
})
