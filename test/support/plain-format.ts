import { readConfig } from '../../src/config/config.ts'
import { formatOf } from '../../src/order/format.ts'

/** Orders as they are written where nothing is configured. */
export const plainFormat = formatOf(readConfig({}))
