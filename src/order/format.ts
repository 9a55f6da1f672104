import type { Config } from '../config/config.ts'

/** Says how the orders of this system are written, by its configuration. Everything that reads an order takes it. */
export interface OrderFormat {
  /** Percent of the larger amount by which order_value and the total of the items may differ. */
  readonly tolerance: number
}

/** The settings that say how orders are written. All processes of a system must have the same. */
export type FormatSettings = Pick<Config, 'valueTolerance'>

export const formatOf = ({ valueTolerance }: FormatSettings): OrderFormat => ({ tolerance: valueTolerance })
