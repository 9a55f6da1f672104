import { expect, test } from 'vitest'
import { OrdersError } from '../../../../src/errors.ts'
import { mayPass } from '../../../../src/ingest/sqs/errors.ts'

const answered = (httpStatusCode: number, name = 'Error') => ({ name, $metadata: { httpStatusCode } })
const failed = (name: string, code?: string) => ({ name, code })

test.each([
  [true, 'the status 500', answered(500)],
  [true, 'the status 503', answered(503)],
  [true, 'the status 429', answered(429)],
  [false, 'the status 499', answered(499)],
  [false, 'the status 403', answered(403)],
  [false, 'the status 428', answered(428)],
  [false, 'the status 430', answered(430)],
  [false, 'a refusal named like a timeout', answered(400, 'TimeoutError')],
  [true, 'no answer in time', failed('TimeoutError')],
  [true, 'an aborted request', failed('AbortError')],
  ...[
    ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH', 'ENETDOWN'],
    ...['ENOTFOUND', 'EAI_AGAIN'],
  ].map((code) => [true, code, failed('Error', code)] as const),
  [false, 'another code', failed('Error', 'ERR_INVALID_URL')],
  [true, 'its cause', new OrdersError('ORD_SQS', 'x', { cause: answered(503) })],
  [false, 'its cause', new OrdersError('ORD_SQS', 'x', { cause: answered(403) })],
] as const)('may pass by itself: %s for %s', (expected, _, error) => {
  expect(mayPass(error)).toBe(expected)
})
