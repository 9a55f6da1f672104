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
}

/** The settings that say how orders are written. All processes of a system must have the same. */
export type FormatSettings = Pick<Config, 'currency' | 'orderFields' | 'valueTolerance' | 'itemsTotal'>

export const formatOf = ({ currency, orderFields, valueTolerance, itemsTotal }: FormatSettings): OrderFormat => ({
  money: moneyOf(currency),
  fields: orderFields,
  tolerance: valueTolerance,
  checksTotal: itemsTotal === 'check',
})
