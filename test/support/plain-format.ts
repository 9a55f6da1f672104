import { readConfig } from '../../src/config/config.ts'
import { formatOf } from '../../src/order/format.ts'

/** Orders as they are written where nothing is configured. */
export const plainFormat = formatOf(readConfig({}))

/** Settings by which a record gets no note but its hint. */
export const plainNotes = { format: plainFormat, config: { retryCodes: [], retryDelays: [] } }
