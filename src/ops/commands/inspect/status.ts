import { statusOf, statusReply } from '../../../api/replies/status.ts'
import type { Money } from '../../../order/money.ts'
import { openBacklog } from '../../../reads/backlog.ts'
import { countText } from '../../../reads/count-text.ts'
import { foreignNote, missingNote } from '../../../reads/findings.ts'
import { openStatus, readSettled } from '../../../reads/open-status.ts'
import { type Status, stallsOf, unknownStallsOf } from '../../../reads/status.ts'
import { defineCommand, flag } from '../../command.ts'
import { openCommandApp } from '../../open/command-app.ts'
import { show } from '../../terminal/interactive/watch.ts'
import { deadLetterLines, pausedLines, unreadLines } from '../../terminal/notes.ts'
import {
  aboutRecords,
  ageText,
  amountText,
  ordersText,
  receivedText,
  recordsText,
  shortCount,
} from '../../terminal/numbers.ts'
import { type Line, red, sentence, yellow } from '../../terminal/output.ts'
import { jsonLine } from '../../terminal/printable.ts'
import { table } from '../../terminal/table.ts'
import { clockText } from '../../terminal/times.ts'

/** Formats the status as lines. @param perSecond orders received, if that is known */
export function statusLines(status: Status, money: Money, perSecond?: number): Line[] {
  const { counters, totals, invalid, stages, bridge, paused, deadLetters, unread } = status
  const of = (name: string): number | null => (counters ? (counters[name] ?? 0) : null)
  const sums = { received: of('received'), replayed: of('replayed'), corrected: of('corrected') }
  const [first] = stages
  const revenue = totals ? amountText(totals.minor, money) : '?'
  const rate = perSecond === undefined ? '' : `; ${countText(Math.round(perSecond))}/s`
  return [
    sentence(
      `${receivedText(sums, '?')} = admitted ${number(of('admitted'))}${correctedText(sums.corrected)} + duplicates ${number(of('duplicates'))}` +
        ` + rejected ${number(of('rejected'))} + lost ${number(of(`${first?.stage}:lost`))}` +
        ` + waiting ${number(first?.waiting ?? null)} (for ${first?.stage})${rate}`,
      '  ',
    ),
    sentence(
      `counted  ${ordersText(totals?.orders ?? null, '?')}, ${revenue} revenue; ${number(of('ranked'))}${recordsText(sums.corrected)} ranked; ${number(invalid)} in the invalid channel`,
      '  ',
    ),
    '',
    ...stageRows(status),
    '',
    sentence('waiting: orders; pending: entries delivered, not acknowledged; lag: entries not delivered yet'),
    ...(sums.corrected ? [sentence(aboutRecords)] : []),
    ...[bridge, ...stages].flatMap(({ stall }) => (stall === null ? [] : sentence(stall, '  ', 'red'))),
    ...stages.flatMap(missingNote).map((note) => sentence(note, '  ', 'red')),
    ...stages.flatMap(({ stage }) => foreignNote(stage, of(`${stage}:foreign`))).map((note) => sentence(note, '  ')),
    ...deadLetterLines(deadLetters, new Date(status.atMs)),
    ...pausedLines(paused ?? {}, new Date(status.atMs)),
    ...unreadLines(unread),
  ]
}

/** Corrections are a term of the sum where there are any. */
const correctedText = (corrected: number | null): string => (corrected ? ` + corrected ${countText(corrected)}` : '')

const number = (value: number | null): string => (value === null ? '?' : countText(value))
const short = (value: number | null): string => (value === null ? '?' : shortCount(value))

/** Returns the table of the stages: red where one does no work although it should, yellow where it is paused. */
function stageRows({ stages, paused }: Status): Line[] {
  const columns = ['stage', 'processes', 'waiting', 'oldest', 'pending', 'lag']
  const rows = stages.map(({ stage, processes, waiting, oldestWaitingMs, pending, lag }) => [
    ...[stage, short(processes), short(waiting)],
    ...[oldestWaitingMs === null ? '–' : ageText(oldestWaitingMs), ...[pending, lag].map(short)],
  ])
  return table([columns, ...rows]).map((row, at) => {
    const stage = stages[at - 1]
    if (stage?.stall) return red(row)
    return stage && paused && stage.stage in paused ? yellow(row) : row
  })
}

/** Returns a function that returns the orders received a second since its last call. */
function openRate(): (status: Status) => number | undefined {
  let last: Status | undefined
  return (status) => {
    const before = last
    last = status
    if (!before?.counters || !status.counters || status.atMs <= before.atMs) return undefined
    const orders = (status.counters['received'] ?? 0) - (before.counters['received'] ?? 0)
    return (orders / (status.atMs - before.atMs)) * 1_000
  }
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
      'ends with exit code 1 if a component has no process, or stands still while orders wait, or if that cannot be read; a process may take 5 seconds to appear',
    ),
  },
  run: async ({ config, options: { watch, json, check }, signal, print, fail }) => {
    await using app = await openCommandApp(config)
    const read = openStatus(app.redis, app, openBacklog(app))
    const rateOf = openRate()
    await show({ watch, json, signal, print }, async () => {
      const status = await (check && !watch ? readSettled(read, signal) : read())
      if (check && stallsOf(status).length + unknownStallsOf(status).length > 0) fail()
      if (json) return jsonLine(statusReply.parse(statusOf(status)))
      const lines = statusLines(status, app.format.money, rateOf(status))
      return watch ? [clockText(new Date(status.atMs)), '', ...lines] : lines
    })
  },
})
