import { z } from 'zod'
import { topUsers, topUsersOf } from '../../../api/routes/stats.ts'
import { type Page, readTop } from '../../../reads/top.ts'
import { type Board, boards } from '../../../stages/leaderboard.ts'
import { defineCommand, flag, wholeNumber } from '../../command.ts'
import { withRunning } from '../../local/running-system.ts'
import { openApp } from '../../open/open-app.ts'
import { jsonLine } from '../../terminal/printable.ts'
import { show } from '../../terminal/watch.ts'
import { money, table } from './status.ts'

export function topLines(board: Board, { users }: Page): string[] {
  if (users.length === 0) return ['Nobody is ranked yet.']
  const scoreOf = (score: number): string => (board === 'spend' ? money(score) : score.toLocaleString('en'))
  const rows = users.map(({ userId, score }, at) => [`${at + 1}. ${userId}`, scoreOf(score)])
  return table([['user', board], ...rows])
}

export const topCommand = defineCommand({
  name: 'top',
  about: 'Shows the best users, by what they spent or by how many orders they have.',
  options: {
    by: {
      hint: boards.join('|'),
      about: 'which board (default spend)',
      expected: boards.join(' or '),
      schema: z.enum(boards).default('spend'),
    },
    n: wholeNumber('how many users', 10, { min: 1, max: 100 }),
    watch: flag('show it again every second'),
    json: flag('as JSON, one object a line, as GET /stats/top-users replies'),
  },
  run: async ({ config, options: { by, n, watch, json }, signal, print }) => {
    await using app = await openApp({ ...withRunning(config), logLevel: 'silent' }, 'ask')
    await show({ watch, json, signal, print }, async () => {
      const page = await readTop(app.redis, app.partitions, by, { limit: n, offset: 0 })
      return json ? jsonLine(topUsers.reply.parse(topUsersOf(by, n, page))) : topLines(by, page)
    })
  },
})
