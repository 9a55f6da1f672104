import { gzipSync } from 'node:zlib'
import { envelopeKinds } from '../../src/messages.ts'
import { isObject } from '../../src/order/json.ts'

/** Returns a JSON object in one line, with a member whose text is given. */
const withMember = (members: object, name: string, json: string): string =>
  `${JSON.stringify(members).slice(0, -1)},"${name}":${json}}`

/** Kinds with the order in them. */
export const inlineKinds = envelopeKinds.filter((kind) => kind !== 's3')
export type InlineKind = (typeof inlineKinds)[number]

/** Puts a body into an envelope, as the service or a producer would. */
export function wrap(kind: InlineKind, body: string): string {
  return wrappers[kind](body)
}

const wrappers: Readonly<Record<InlineKind, (body: string) => string>> = {
  sns: (body) =>
    JSON.stringify({
      Type: 'Notification',
      MessageId: 'n-1',
      TopicArn: 'arn:aws:sns:us-east-1:000000000000:orders',
      Subject: 'An order',
      Message: body,
      Timestamp: '2026-11-23T10:00:00.000Z',
      SignatureVersion: '1',
      Signature: 'EXAMPLE',
      SigningCertURL: 'https://example.com/cert.pem',
      UnsubscribeURL: 'https://example.com/unsubscribe',
      MessageAttributes: { shop: { Type: 'String', Value: 'one' } },
    }),
  eventbridge: (body) =>
    withMember(
      {
        version: '0',
        id: 'e-1',
        'detail-type': 'OrderPlaced',
        source: 'shop',
        account: '000000000000',
        time: '2026-11-23T10:00:00Z',
        region: 'us-east-1',
        resources: [],
      },
      'detail',
      json(body),
    ),
  cloudevents: (body) =>
    withMember(
      {
        specversion: '1.0',
        id: 'c-1',
        source: '/shop',
        type: 'com.example.order',
        datacontenttype: 'application/json',
      },
      'data',
      json(body),
    ),
  base64: (body) => Buffer.from(body).toString('base64'),
  gzip: (body) => gzipSync(body).toString('base64'),
}

/** Returns JSON as it is, and other text as a JSON string. */
function json(body: string): string {
  try {
    JSON.parse(body)
    return body
  } catch {
    return JSON.stringify(body)
  }
}

/** True for a body that the bridge takes out of an envelope: a JSON object with a required field of an order. */
export const isOrder = (body: string): boolean => {
  try {
    const value: unknown = JSON.parse(body)
    return isObject(value) && ['user_id', 'order_id', 'order_value'].some((name) => Object.hasOwn(value, name))
  } catch {
    return false
  }
}

/** The message that an extended client sends in place of an order that it has put into S3. */
export const pointerTo = (s3BucketName: string, s3Key: string): string =>
  JSON.stringify(['software.amazon.payloadoffloading.PayloadS3Pointer', { s3BucketName, s3Key }])
