import { expect, test } from 'vitest'
import { readArn } from '../../../../src/ingest/sqs/address.ts'

test.each([
  ['arn:aws:sqs:eu-west-1:123456789012:orders', 'eu-west-1', '123456789012', 'orders'],
  ['arn:aws-cn:sqs:cn-north-1:123456789012:orders_2', 'cn-north-1', '123456789012', 'orders_2'],
  ['arn:aws-us-gov:sqs:us-gov-west-1:123456789012:orders-dlq.fifo', 'us-gov-west-1', '123456789012', 'orders-dlq.fifo'],
])('%s names a queue', (arn, region, account, name) => {
  expect(readArn(arn)).toEqual({ name, account, region })
})

test.each([
  'orders',
  'arn:aws:sns:eu-west-1:123456789012:orders',
  'arn:aws:sqs:eu-west-1:123456789012:',
  'arn:aws:sqs::123456789012:orders',
  'arn:aws:sqs:eu-west-1:123456789012:orders.txt',
  'arn:aws:sqs:eu-west-1:123456789012:orders:more',
])('%s is the ARN of no queue', (text) => {
  expect(readArn(text)).toBeUndefined()
})
