import { describe, expect, test } from 'vitest'
import { queueAddress, readArn, readQueueUrl } from '../../../src/config/queue-address.ts'

describe('an ARN', () => {
  test.each([
    ['arn:aws:sqs:eu-west-1:123456789012:orders', 'eu-west-1', 'orders'],
    ['arn:aws-cn:sqs:cn-north-1:123456789012:orders_2', 'cn-north-1', 'orders_2'],
    ['arn:aws-us-gov:sqs:us-gov-west-1:123456789012:orders-dlq.fifo', 'us-gov-west-1', 'orders-dlq.fifo'],
    [`arn:aws:sqs:eu-west-1:123456789012:${'x'.repeat(80)}`, 'eu-west-1', 'x'.repeat(80)],
  ])('%s names a queue', (arn, region, name) => {
    expect(readArn(arn)).toEqual({ name, account: '123456789012', region })
  })

  test.each([
    'orders',
    'arn:aws:sns:eu-west-1:123456789012:orders',
    'arn:aws:sqs:eu-west-1:123456789012:',
    'arn:aws:sqs::123456789012:orders',
    'arn:aws:sqs:eu-west-1:123456789012:orders.txt',
    'arn:aws:sqs:eu-west-1:123456789012:orders:more',
    `arn:aws:sqs:eu-west-1:123456789012:${'x'.repeat(81)}`,
  ])('%s names none', (text) => {
    expect(readArn(text)).toBeUndefined()
  })
})

describe('a URL', () => {
  test.each([
    ['https://sqs.eu-west-1.amazonaws.com/123456789012/orders', 'eu-west-1'],
    ['https://sqs.cn-north-1.amazonaws.com.cn/123456789012/orders', 'cn-north-1'],
    ['https://sqs-fips.us-gov-west-1.amazonaws.com/123456789012/orders', 'us-gov-west-1'],
    ['https://sqs.eu-west-1.api.aws/123456789012/orders', 'eu-west-1'],
    ['https://eu-west-1.queue.amazonaws.com/123456789012/orders', 'eu-west-1'],
    ['https://vpce-0ab-1cd.sqs.ap-southeast-2.vpce.amazonaws.com/123456789012/orders', 'ap-southeast-2'],
    ['http://sqs.eu-west-1.localhost.localstack.cloud:4566/123456789012/orders', 'eu-west-1'],
    ['http://127.0.0.1:4566/123456789012/orders', undefined],
    ['http://sqs:4566/123456789012/orders', undefined],
  ])('%s names a queue', (url, region) => {
    expect(readQueueUrl(url)).toEqual({ name: 'orders', account: '123456789012', url, ...(region && { region }) })
  })

  test('an emulator may have no account in it', () => {
    const url = 'http://localhost:9324/queue/orders.fifo'
    expect(readQueueUrl(url)).toEqual({ name: 'orders.fifo', url })
  })

  test.each([
    'orders',
    'https://sqs.eu-west-1.amazonaws.com',
    'https://sqs.eu-west-1.amazonaws.com/123456789012/',
    'https://sqs.eu-west-1.amazonaws.com/123456789012/or%20ders',
    'https://sqs.eu-west-1.amazonaws.com/123456789012/orders?Action=SendMessage',
    'https://sqs.eu-west-1.amazonaws.com/123456789012/orders#1',
    'ftp://sqs.eu-west-1.amazonaws.com/123456789012/orders',
    ' https://sqs.eu-west-1.amazonaws.com/123456789012/orders',
  ])('%s names none', (text) => {
    expect(readQueueUrl(text)).toBeUndefined()
  })
})

test('a configuration names a queue by name, ARN or URL', () => {
  const arn = 'arn:aws:sqs:eu-west-1:123456789012:theirs'
  const sqsQueueUrl = 'https://sqs.eu-west-2.amazonaws.com/123456789012/other'
  expect(queueAddress({ sqsQueueName: 'orders' })).toEqual({ name: 'orders' })
  expect(queueAddress({ sqsQueueName: arn })).toMatchObject({ name: 'theirs', region: 'eu-west-1' })
  expect(queueAddress({ sqsQueueName: 'orders', sqsQueueUrl })).toMatchObject({ name: 'other', region: 'eu-west-2' })
})
