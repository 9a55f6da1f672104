import { admittedOrder } from '../../src/messages.ts'
import { definePipeline } from '../../src/stages/define-pipeline.ts'
import { defineObserver, defineStage, hincrby, pass, reject } from '../../src/stages/stage.ts'
import { definitions } from './stages.ts'

/** Between validate and aggregate: refuses orders of above 500 that are sent to a certain address. */
export const fraud = defineStage({
  name: 'fraud',
  takes: admittedOrder,
  needs: ['shipping_address'],
  passes: { channel: 'cleared', record: admittedOrder },
  counts: 'cleared',
  decide: ({ user_id, order_id, minor, order_timestamp, shipping_address }) =>
    minor > 50_000 && shipping_address === '1 Nowhere Lane'
      ? reject({ code: 'refused', reason: `A stage refused the order: ${order_id} of ${user_id} looks like fraud` })
      : pass({ effects: [], emit: { user_id, order_id, minor, order_timestamp } }),
})

/** Next to the stage that follows: revenue per day of the order's timestamp, in minor units. */
export const revenue = defineObserver({
  name: 'revenue',
  takes: admittedOrder,
  counts: 'booked',
  decide: ({ minor, order_timestamp }, keys) => [
    hincrby(keys.own('revenue', 'days'), order_timestamp?.slice(0, 10) ?? 'undated', minor),
  ],
})

const { validate, aggregate, leaderboard } = definitions
export const withFraud = definePipeline([validate, fraud, aggregate, leaderboard])
export const withRevenue = definePipeline([validate, revenue, aggregate, leaderboard])
export const withBoth = definePipeline([validate, revenue, fraud, aggregate, leaderboard])
