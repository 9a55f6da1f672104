// @ts-check
/*
 * A sentence for each label of the page, by its section and its name.
 */

const window = 'in the last 10 to 20 seconds'

/** @type {Readonly<Record<string, Readonly<Record<string, string>>>>} */
export const terms = {
  sqs: {
    waiting: 'Messages in the SQS queue that the bridge has not received yet. SQS counts them roughly.',
    'In flight': 'Messages that the bridge has received and not yet deleted from the queue.',
    'Dead letters':
      'Messages that SQS gave up on after too many receives; they wait in the dead-letter queue. Redrive brings them back.',
  },
  bridge: {
    'orders/s': 'Orders that the bridge moved from SQS to Redis each second, over the last five seconds.',
    'Wait p50': `Half of the orders that came ${window} waited at most this long in SQS.`,
    'Wait p99': `99 of 100 orders that came ${window} waited at most this long in SQS.`,
    Processes: 'Processes that run the bridge now, by their heartbeat.',
  },
  stage: {
    'orders/s': 'Orders that this stage finished each second, over the last five seconds.',
    Waiting: 'Orders that have come to this stage and are not finished, those in flight included.',
    'Wait p50': `Half of the orders that this stage finished ${window} waited at most this long for it.`,
    'Wait p99': `99 of 100 orders that this stage finished ${window} waited at most this long for it.`,
    'In flight': 'Entries that a process of this stage has read and not yet committed.',
    Oldest: 'How long ago the oldest order that still waits came to this stage.',
    Segments: 'Files that the archive has written since it began, and their compressed size.',
    'Last one': 'How long ago the archive wrote its last segment. Orders wait for the end of one by design.',
    Processes: 'Processes that run this stage now, by their heartbeat.',
  },
  totals: {
    'Orders counted': 'Orders that are part of the totals: valid, and each counted once.',
    Revenue: 'The sum of all counted orders.',
    Waiting: 'Orders that are in Redis and wait for any stage; what waits in SQS is not included.',
    'From SQS to rank': `From when SQS received an order until its user was ranked, for orders ${window}: half took at most the large time, 99 of 100 at most the small one.`,
    Received: 'Orders that came in from SQS, and again each time one is requeued.',
    Corrections: 'Cancellations, refunds and amendments of counted orders; each changes the totals once.',
    Duplicates: 'Orders that were admitted before and came again; they are dropped and counted here.',
    Rejected: 'Orders that broke a rule, and again each time one is replayed and fails once more.',
    'Failed now': 'Orders that wait in the invalid channel to be corrected, replayed or discarded.',
  },
  plots: {
    'Orders ranked and rejected a second':
      'Each point is the mean of ten seconds; the last ten appear when they are over.',
    'Time from SQS to rank':
      'From when SQS received an order until its user was ranked. Half of the orders of a point took at most p50, 99 of 100 at most p99.',
    'Revenue a day':
      'What the orders of each day came to, less what was taken back on that day. The pale bar is today, which is not over.',
    'Orders a day':
      'Orders by the day of their own time, less those that were cancelled on that day. The pale bar is today, which is not over.',
  },
  boards: {
    'By spend': 'The ten users whose counted orders have the highest sum, in the chosen period.',
    'By orders': 'The ten users with the most counted orders, in the chosen period.',
  },
}
