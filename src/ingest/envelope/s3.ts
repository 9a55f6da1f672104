import type { Readable } from 'node:stream'
import type { Config } from '../../config/config.ts'
import { clientOptions } from '../sqs/client.ts'
import { isEmulated } from '../sqs/endpoint.ts'
import { type Failure, mayPass } from '../sqs/errors.ts'
import type { S3Pointer } from './s3-pointer.ts'

/** A client for S3. */
export interface S3 {
  /** @throws if S3 cannot be asked: that says nothing of the object */
  get(pointer: S3Pointer, signal: AbortSignal): Promise<{ readonly body: Buffer } | { readonly missing: string }>
  close(): void
}

/** An order of 10,000 items has 1 MB. A producer's mistake must not fill the memory. */
const maxBytes = 4 * 1_048_576

/** Loads the SDK's client for S3. An endpoint that is set for SQS is one emulator for both, or that of SQS alone. */
export async function openS3(config: Config): Promise<S3> {
  const { GetObjectCommand, S3Client } = await import('@aws-sdk/client-s3')
  const { endpoint, credentials } = clientOptions(config)
  const client = new S3Client({
    ...{ region: config.awsRegion, followRegionRedirects: true },
    ...(credentials && { credentials }),
    ...(isEmulated(config) && endpoint && { endpoint, forcePathStyle: true }),
    ignoreConfiguredEndpointUrls: config.awsEndpointUrl !== undefined, // the SDK takes that variable for all services
  })
  return {
    get: async ({ bucket, key }, abortSignal) => {
      if (!isName(bucket, key)) return { missing: 'has a name that S3 does not allow' }
      try {
        const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }), { abortSignal })
        const body = await bytesOf(Body as Readable)
        return body ? { body } : { missing: `is larger than ${maxBytes} bytes` }
      } catch (error) {
        const missing = refusalOf(error as Failure)
        if (missing === undefined) throw error
        return { missing }
      }
    },
    close: () => client.destroy(),
  }
}

/** Returns undefined for more than `maxBytes`, and reads no further. */
async function bytesOf(body: Readable): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Of a general purpose bucket, of those before 2018 too. An ARN or a directory bucket would be a host that may not exist. */
const bucketName = /^(?!.*--x-s3$)[A-Za-z0-9][\w.-]{1,253}[A-Za-z0-9]$/
const maxKeyBytes = 1_024

/** Anyone who may send can write a pointer. S3 cannot be asked for a name that is none, now or later. */
const isName = (bucket: string, key: string): boolean =>
  bucketName.test(bucket) && key.isWellFormed() && Buffer.byteLength(key) <= maxKeyBytes

const refusals: Readonly<Record<string, string>> = {
  NoSuchKey: 'does not exist',
  NoSuchBucket: 'is in a bucket that does not exist',
  AccessDenied: 'may not be read by the bridge',
  InvalidObjectState: 'is archived',
}

/** Refusals that say nothing of the object: of our credentials, of our clock, and of an answer that is not of S3. */
const ofOurs: ReadonlySet<string> = new Set([
  ...['ExpiredToken', 'InvalidAccessKeyId', 'InvalidToken', 'SignatureDoesNotMatch', 'TokenRefreshRequired'],
  ...['AccountProblem', 'NotSignedUp', 'AuthorizationHeaderMalformed', 'RequestTimeTooSkewed', 'RequestTimeout'],
  ...['Throttling', 'ThrottlingException', 'Unknown', 'UnknownError'],
])

/**
 * Returns why S3 does not give an object; undefined if that may be over by itself. Every other refusal is of the object, such
 * as that of one encrypted with a key of its producer: to wait for it would stop the bridge.
 */
function refusalOf(error: Failure): string | undefined {
  const status = error.$metadata?.httpStatusCode ?? 0
  if (status < 400 || mayPass(error) || ofOurs.has(error.name)) return undefined
  return refusals[error.name] ?? `cannot be read: S3 says ${error.name}`
}
