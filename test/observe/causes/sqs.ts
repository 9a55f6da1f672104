import { fillDeadLetters } from '../../support/dead-letters.ts'
import { backlog, type Cause } from './cause.ts'

const denied = { __type: 'com.amazon.coral.service#AccessDeniedException', message: 'not for you' }

/** SQS denies receives, while a backlog grows there. */
export const receivesDenied: Cause = {
  title: `SQS denies receives, ${backlog} messages come`,
  fires: ['OrdersQueueStalled', 'OrdersQueueGrows', 'OrdersBridgeFailing'],
  begin: async ({ replies, load }) => {
    replies.set('ReceiveMessage', denied)
    const orders = load('--valid', String(backlog), '--invalid', '0')
    return async () => {
      await orders[Symbol.asyncDispose]()
      replies.delete('ReceiveMessage')
    }
  },
}

/** Messages lie in the dead-letter queue. */
export const deadLetters: Cause = {
  title: 'three messages in the dead-letter queue',
  fires: ['OrdersDeadLetters'],
  begin: async ({ env, orders }) => {
    const bodies = [1, 2, 3].map((at) => `{"user_id":"user_dead","order_id":"${at}","order_value":1}`)
    await fillDeadLetters(env, bodies)
    return () => orders('dlq', 'redrive')
  },
}

/** SQS denies the reading of the queue's attributes. */
export const attributesDenied: Cause = {
  title: 'SQS denies GetQueueAttributes',
  fires: ['OrdersQueueUnreadable'],
  begin: async ({ replies }) => {
    replies.set('GetQueueAttributes', denied)
    return async () => void replies.delete('GetQueueAttributes')
  },
}

/** Something between drops WaitTimeSeconds: receives return at once. */
export const emptyReceives: Cause = {
  title: 'SQS answers receives at once and empty',
  fires: ['OrdersEmptyReceives'],
  begin: async ({ replies }) => {
    replies.set('ReceiveMessage', {})
    return async () => void replies.delete('ReceiveMessage')
  },
}

/** The clock of SQS is ahead. */
export const clockOff: Cause = {
  title: "the clock of SQS 100 s ahead of the bridges'",
  fires: ['OrdersClockOff'],
  begin: async ({ sqs }) => {
    sqs.shift(100)
    return async () => sqs.shift(0)
  },
}

/** A producer sends orders that are wrong. */
export const invalidOrders: Cause = {
  title: 'a producer sends wrong orders',
  fires: ['OrdersInvalidShare'],
  begin: async ({ load }) => {
    const orders = load('--valid', '0', '--invalid', '10000', '--rate', '40')
    return () => Promise.resolve(orders[Symbol.asyncDispose]())
  },
}
