import { dailyOf, dailyReply, reportedRange } from '../../../api/calendar/replies.ts'
import type { Money } from '../../../order/money.ts'
import { type DayTotals, readDays } from '../../../reads/calendar/days.ts'
import { countText } from '../../../reads/count-text.ts'
import { defineCommand, flag } from '../../command.ts'
import { openCommandApp } from '../../open/command-app.ts'
import { rangeLine, rangeOption, reportable } from '../../terminal/calendar-text.ts'
import { amountText } from '../../terminal/numbers.ts'
import { jsonLine } from '../../terminal/printable.ts'
import { table } from '../../terminal/table.ts'

function dailyLines(days: readonly DayTotals[], money: Money): string[] {
  const rows = days.map(({ day, orders, revenue, cancelled, refunded }) => [
    ...[day, countText(orders)],
    ...[revenue, cancelled, refunded].map((minor) => amountText(minor, money)),
  ])
  return table([['day', 'orders', 'revenue', 'cancelled', 'refunded'], ...rows])
}

export const command = defineCommand({
  name: 'daily',
  about: 'Shows orders and revenue of each day. A correction counts on the day of its own time.',
  examples: ['daily', 'daily --from 2026-11-01 --to 2026-11-30', 'daily --from today --json'],
  page: 'docs/how-to/calendar.md',
  options: {
    from: rangeOption('the first day (default 30 days up to the last)'),
    to: rangeOption('the last day (default today)'),
    json: flag('as JSON on one line, as GET /stats/daily replies'),
  },
  run: async ({ config, options: { from, to, json }, print }) => {
    await using app = await openCommandApp(config)
    const { money, calendar } = app.format
    const range = await reportable(app, 'daily', () => reportedRange({ from, to }, calendar, app.now()))
    const days = await readDays(app.redis, app.partitions, range)
    if (json) return print(jsonLine(dailyReply.parse(dailyOf(range, days, money))))
    print([...dailyLines(days, money), '', rangeLine(range)])
  },
})
