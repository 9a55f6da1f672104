import { dayFields, readDays } from '../../reads/calendar/days.ts'
import { noCalendar, rangeIn, rangeQuery } from '../calendar/asked.ts'
import { dailyOf, dailyReply } from '../calendar/replies.ts'
import { defineRoute } from '../http/route.ts'

export const dailyStats = defineRoute({
  method: 'get',
  path: '/stats/daily',
  summary:
    'Orders and revenue of each day, in order, with zeros where there are none. A correction counts on the day of its own time.',
  query: rangeQuery,
  reply: dailyReply,
  refusals: noCalendar,
  csv: ({ days }) => ({
    columns: ['day', ...dayFields],
    rows: days.map((one) => [one.day, ...dayFields.map((name) => one[name])]),
  }),
  handle: async (context, { query }) => {
    const range = await rangeIn(context, query)
    if (!('to' in range)) return range
    return dailyOf(range, await readDays(context.redis, context.partitions, range), context.format.money)
  },
})
