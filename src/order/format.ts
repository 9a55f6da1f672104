import { type Calendar, calendarOf } from '../calendar/calendar.ts'
import type { Config } from '../config/config.ts'
import type { FieldMap } from './field-map.ts'
import { type Money, moneyOf } from './money.ts'

/** Says how the orders of this system are written, by its configuration. Everything that reads an order takes it. */
export interface OrderFormat {
  readonly money: Money
  /** Where the fields are; undefined if they have their own names. */
  readonly fields: FieldMap | undefined
  /** Percent of the larger amount by which order_value and the total of the items may differ. */
  readonly tolerance: number
  /** False if the total of the items is not compared with order_value. */
  readonly checksTotal: boolean
  /** Says on which day an order is counted. */
  readonly calendar: Calendar
}

/** The settings that say how orders are written. All processes of a system must have the same. */
export type FormatSettings = Pick<Config, 'currency' | 'orderFields' | 'valueTolerance' | 'itemsTotal' | CalendarName>
type CalendarName = 'reportTimezone' | 'calendarPeriods' | 'calendarKeep' | 'calendarOpenDays'

export const formatOf = (settings: FormatSettings): OrderFormat => ({
  money: moneyOf(settings.currency),
  fields: settings.orderFields,
  tolerance: settings.valueTolerance,
  checksTotal: settings.itemsTotal === 'check',
  calendar: calendarOf({
    zone: settings.reportTimezone,
    periods: settings.calendarPeriods,
    keep: settings.calendarKeep,
    openDays: settings.calendarOpenDays,
  }),
})
