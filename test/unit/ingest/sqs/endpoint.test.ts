import { expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import {
  endpointUrl,
  isEmulated,
  mayCreate,
  missingText,
  namesSqs,
  queuePlace,
  regionOf,
} from '../../../../src/ingest/sqs/endpoint.ts'

const arn = 'arn:aws:sqs:eu-west-1:123456789012:theirs'
const url = 'https://sqs.eu-west-1.amazonaws.com/123456789012/theirs'
const local = 'http://sqs:4566'

test.each([
  ['a name on AWS', {}, 'us-east-1', undefined, false],
  ['a name of an emulator', { AWS_ENDPOINT_URL: local }, 'us-east-1', local, true],
  ['an ARN, whose region wins', { SQS_QUEUE_NAME: arn, AWS_REGION: 'us-west-2' }, 'eu-west-1', undefined, false],
  ['an ARN in an emulator', { SQS_QUEUE_NAME: arn, AWS_ENDPOINT_URL: local }, 'eu-west-1', local, true],
  ['a URL', { SQS_QUEUE_URL: url }, 'eu-west-1', 'https://sqs.eu-west-1.amazonaws.com', false],
  ['a URL of an emulator', { SQS_QUEUE_URL: `${local}/queue/orders` }, 'us-east-1', local, true],
  ['a URL whose host is another here', { SQS_QUEUE_URL: url, AWS_ENDPOINT_URL: local }, 'eu-west-1', local, true],
])('where SQS is called for %s', (_, env, region, endpoint, emulated) => {
  const config = readConfig(env as Record<string, string>)
  expect(regionOf(config)).toBe(region)
  expect(endpointUrl(config)).toBe(endpoint)
  expect(isEmulated(config)).toBe(emulated)
})

test.each([
  ['local, as far as nothing is said', { AWS_ENDPOINT_URL: local }, true],
  ['local, and forbidden', { AWS_ENDPOINT_URL: local, SQS_CREATE_QUEUE: 'false' }, false],
  ['local, by ARN', { AWS_ENDPOINT_URL: local, SQS_QUEUE_NAME: arn }, false],
  ['local, by URL', { SQS_QUEUE_URL: `${local}/queue/orders` }, false],
  ['on AWS', {}, false],
  ['on AWS, where it is allowed', { SQS_CREATE_QUEUE: 'true' }, true],
  ['at an endpoint of AWS', { AWS_ENDPOINT_URL: 'https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com' }, false],
  [
    'at an endpoint of AWS in China',
    { AWS_ENDPOINT_URL: 'https://sqs.cn-north-1.api.amazonwebservices.com.cn' },
    false,
  ],
])('whether a missing queue may be created: %s', (_, env, allowed) => {
  expect(mayCreate(readConfig(env as Record<string, string>))).toBe(allowed)
})

test('an emulator is started only where no queue is named by more than its name', () => {
  expect(namesSqs(readConfig({ SQS_QUEUE_NAME: 'orders-2' }))).toBe(false)
  for (const env of [{ SQS_QUEUE_NAME: arn }, { SQS_QUEUE_URL: url }, { AWS_ENDPOINT_URL: local }])
    expect(namesSqs(readConfig(env as Record<string, string>))).toBe(true)
})

test('a queue that is missing: one line says which, where, and what to do', () => {
  expect(queuePlace(readConfig({}))).toBe('orders at AWS, region us-east-1')
  expect(missingText(readConfig({}))).toBe(
    'There is no queue orders at AWS, region us-east-1: check SQS_QUEUE_NAME and AWS_REGION, create it, or set SQS_CREATE_QUEUE=true.',
  )
  expect(missingText(readConfig({ SQS_QUEUE_NAME: arn }))).toBe(
    'There is no queue theirs of account 123456789012 at AWS, region eu-west-1: check SQS_QUEUE_NAME, and that the policy of the queue allows this role.',
  )
  expect(missingText(readConfig({ SQS_QUEUE_URL: url }))).toContain(': check SQS_QUEUE_URL, and')
  expect(missingText(readConfig({ AWS_ENDPOINT_URL: local, SQS_CREATE_QUEUE: 'false' }))).toContain(
    `orders at ${local}: check SQS_QUEUE_NAME and AWS_ENDPOINT_URL, `,
  )
})
