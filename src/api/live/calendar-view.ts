import { z } from 'zod'
import type { App } from '../../app.ts'
import { type PeriodKind, periodKinds, periodOf } from '../../calendar/periods.ts'

const day = z.string().meta({ override: { type: 'string', format: 'date' } })

/** Gives a page all that it needs to ask for days and periods. */
export const calendarView = z
  .object({
    timezone: z.string().meta({ description: 'The zone of the days: `REPORT_TIMEZONE`.' }),
    today: day.meta({ description: 'Today in that zone.', override: { type: 'string', format: 'date' } }),
    periods: z
      .array(
        z.object({
          kind: z.enum(periodKinds),
          oldest: z.string().meta({ description: 'The oldest period of this kind that is kept, such as `2026-W35`.' }),
        }),
      )
      .meta({ description: 'The kinds of periods that have leaderboards.' }),
  })
  .meta({ description: 'Days, weeks and months; absent if CALENDAR is off.' })
type CalendarView = z.output<typeof calendarView>

/** Returns the calendar by the clock of this process, by which the routes answer, too. */
export function calendarOn({ config, format, now }: Pick<App, 'config' | 'format' | 'now'>): CalendarView | undefined {
  if (config.calendar === 'off') return undefined
  const { calendar } = format
  const today = calendar.dayAt(now().getTime())
  const oldest = (kind: PeriodKind): string => periodOf(kind, calendar.keptFrom(kind, today)).name
  const { zone, periods } = calendar.settings
  return { timezone: zone, today, periods: periods.map((kind) => ({ kind, oldest: oldest(kind) })) }
}
