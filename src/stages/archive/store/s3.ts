import type { Readable } from 'node:stream'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { isOfAws } from '../../../config/aws-host.ts'
import { asked, failed } from './failure.ts'
import type { ObjectStore, StoreConfig, Stored, Trying } from './object-store.ts'

/**
 * A process that makes no progress for a minute ends, so a try is shorter. 16 MB pass within it at 3 Mbit/s. Two tries of a
 * server that is silent are shorter, too.
 */
const [maxTryMs, silentMs, connectionTimeout] = [50_000, 20_000, 5_000]

/**
 * Keeps objects in a bucket. An object is written by one request, whole or not at all: a segment has 256 MB at most, and a
 * killed process leaves no part of an upload.
 */
export function s3Store(
  config: StoreConfig,
  { bucket, prefix }: { bucket: string; prefix: string },
  trying: Trying = {},
): ObjectStore {
  const client = openClient(config, trying)
  const of = (name: string) => ({ Bucket: bucket, Key: prefix + name })
  const during = (abortSignal: AbortSignal | undefined) => (abortSignal ? { abortSignal } : {})
  return {
    place: `s3://${bucket}/${prefix}`,
    put: (name, body, signal) =>
      asked(`${name} cannot be written`, async () => {
        const ContentType = name.endsWith('.json') ? 'application/json' : 'application/gzip'
        const call = { ...of(name), Body: body, ContentLength: body.length, ContentType }
        await client.send(new PutObjectCommand(call), during(signal))
      }),
    get: (name, signal) =>
      asked(`${name} cannot be read`, async () => {
        const found = await unlessMissing(client.send(new GetObjectCommand(of(name)), during(signal)))
        return found && pieces(found.Body as Readable, name)
      }),
    delete: (name) =>
      asked(`${name} cannot be deleted`, () => client.send(new DeleteObjectCommand(of(name))).then(() => {})),
    list: (from) => listed(client, bucket, prefix, from),
    close: () => client.destroy(),
  }
}

/** An endpoint that is AWS' own is that of SQS alone. */
function openClient(config: StoreConfig, trying: Trying): S3Client {
  const { awsEndpointUrl, awsEndpointUrlS3, awsRegion: region } = config
  const { awsAccessKeyId: accessKeyId, awsSecretAccessKey: secretAccessKey, awsSessionToken: sessionToken } = config
  const endpoint =
    awsEndpointUrlS3 ?? (awsEndpointUrl !== undefined && !isOfAws(awsEndpointUrl) ? awsEndpointUrl : undefined)
  const set =
    accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) } : undefined
  const credentials = set ?? (endpoint === undefined ? undefined : { accessKeyId: 'test', secretAccessKey: 'test' })
  const { attempts: maxAttempts = 2, silentMs: socketTimeout = silentMs } = trying
  const requestHandler = { connectionTimeout, socketTimeout, requestTimeout: maxTryMs, throwOnRequestTimeout: true }
  return new S3Client({
    ...{ region, followRegionRedirects: true, maxAttempts, requestHandler },
    ...(credentials && { credentials }),
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
    ignoreConfiguredEndpointUrls: true, // the SDK takes AWS_ENDPOINT_URL for all services
  })
}

async function* listed(client: S3Client, bucket: string, prefix: string, from: string): AsyncIterable<Stored> {
  let next: string | undefined
  do {
    const call = new ListObjectsV2Command({
      ...{ Bucket: bucket, Prefix: prefix + from },
      ...(next !== undefined && { ContinuationToken: next }),
    })
    const page: ListObjectsV2CommandOutput = await asked('The archive cannot be listed', () => client.send(call))
    for (const { Key = '', Size, LastModified } of page.Contents ?? [])
      yield storedOf(Key.slice(prefix.length), Size, LastModified)
    next = page.IsTruncated ? page.NextContinuationToken : undefined
  } while (next !== undefined)
}

const storedOf = (name: string, bytes = 0, modified: Date | undefined): Stored => ({
  name,
  bytes,
  modifiedMs: modified?.getTime() ?? 0,
})

async function* pieces(body: Readable, name: string): AsyncIterable<Buffer> {
  try {
    yield* body as AsyncIterable<Buffer>
  } catch (error) {
    throw failed(`${name} cannot be read`, error)
  }
}

async function unlessMissing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call
  } catch (error) {
    if (error instanceof Error && ['NoSuchKey', 'NotFound'].includes(error.name)) return undefined
    throw error
  }
}
