import { z } from 'zod'
import { reportedPeriod } from '../../../api/calendar/replies.ts'
import { topUsersOf, topUsersReply } from '../../../api/replies/top-users.ts'
import type { Money } from '../../../order/money.ts'
import { countText } from '../../../reads/count-text.ts'
import { type Page, readTop } from '../../../reads/top.ts'
import { type Board, boards } from '../../../stages/leaderboard.ts'
import { defineCommand, flag, wholeNumber } from '../../command.ts'
import { openCommandApp } from '../../open/command-app.ts'
import { periodOption, rangeLine, reportable } from '../../terminal/calendar-text.ts'
import { show } from '../../terminal/interactive/watch.ts'
import { amountText } from '../../terminal/numbers.ts'
import { jsonLine } from '../../terminal/printable.ts'
import { shortName, table } from '../../terminal/table.ts'

export function topLines(board: Board, { users }: Page, money: Money): string[] {
  if (users.length === 0) return ['No user is ranked yet.']
  const scoreOf = (score: number): string => (board === 'spend' ? amountText(score, money) : countText(score))
  const rankWidth = String(users.length).length
  const rows = users.map(({ userId, score }, at) => [
    `${String(at + 1).padStart(rankWidth)}. ${shortName(userId)}`,
    scoreOf(score),
  ])
  return table([['user', board], ...rows])
}

export const command = defineCommand({
  name: 'top',
  about: 'Shows the top users by spend or by number of orders.',
  examples: ['top', 'top --by orders --n 50', 'top --period this-week'],
  page: 'docs/getting-started.md',
  options: {
    by: {
      hint: boards.join('|'),
      about: 'the leaderboard (default spend)',
      expected: boards.join(' or '),
      schema: z.enum(boards).default('spend'),
    },
    period: periodOption,
    n: wholeNumber('number of users', 10, { min: 1, max: 100 }),
    watch: flag('shows it again every second'),
    json: flag('as JSON, one object a line, as GET /stats/top-users replies'),
  },
  run: async ({ config, options: { by, n, period: name, watch, json }, signal, print }) => {
    await using app = await openCommandApp(config)
    const { money, calendar } = app.format
    await show({ watch, json, signal, print }, async () => {
      const asked =
        name === undefined ? undefined : await reportable(app, 'top', () => reportedPeriod(name, calendar, app.now()))
      const page = await readTop(app.redis, app.partitions, by, { limit: n, offset: 0, period: asked?.period })
      if (json) return jsonLine(topUsersReply.parse(topUsersOf(by, n, page, money, asked)))
      return [...topLines(by, page, money), ...(asked ? ['', rangeLine(asked)] : [])]
    })
  },
})
