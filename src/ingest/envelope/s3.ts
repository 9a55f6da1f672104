import type { Config } from '../../config/config.ts'
import { clientOptions } from '../sqs/client.ts'
import { isEmulated } from '../sqs/endpoint.ts'
import type { S3Pointer } from './s3-pointer.ts'

/** A client for S3. */
export interface S3 {
  /** @throws if S3 cannot be asked: that says nothing of the object */
  get(pointer: S3Pointer, signal: AbortSignal): Promise<{ readonly body: Buffer } | { readonly missing: string }>
  close(): void
}

/** An order of 10,000 items has 1 MB. A producer's mistake must not fill the memory. */
const maxBytes = 4 * 1_048_576

/** Refusals of S3 that say something of this object. Everything else may be over by itself, or by a right given. */
const refusals: Readonly<Record<string, string>> = {
  NoSuchKey: 'does not exist',
  NoSuchBucket: 'is in a bucket that does not exist',
  InvalidBucketName: 'is in a bucket that does not exist',
  AccessDenied: 'may not be read by the bridge',
  InvalidObjectState: 'is archived',
}

/** Loads the SDK's client for S3. An endpoint that is set for SQS is one emulator for both. */
export async function openS3(config: Config): Promise<S3> {
  const { GetObjectCommand, S3Client } = await import('@aws-sdk/client-s3')
  const { endpoint, credentials } = clientOptions(config)
  const client = new S3Client({
    ...{ region: config.awsRegion, followRegionRedirects: true },
    ...(credentials && { credentials }),
    ...(isEmulated(config) && endpoint && { endpoint, forcePathStyle: true }),
  })
  return {
    get: async ({ bucket, key }, abortSignal) => {
      try {
        const { Body, ContentLength = 0 } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }), {
          abortSignal,
        })
        if (ContentLength <= maxBytes) return { body: Buffer.from((await Body?.transformToByteArray()) ?? []) }
        if (Body && 'destroy' in Body) Body.destroy()
        return { missing: `is larger than ${maxBytes} bytes` }
      } catch (error) {
        const missing = refusals[(error as Error).name]
        if (missing === undefined) throw error
        return { missing }
      }
    },
    close: () => client.destroy(),
  }
}
