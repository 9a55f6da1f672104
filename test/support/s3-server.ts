import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { spawnRadosGateway } from './debian/rados-gateway.ts'
import { spawnSqsServer } from './sqs-server.ts'

/** A server of S3 in a process of its own, with nothing in it, to be killed and started again at will. */
export interface S3Server extends AsyncDisposable {
  readonly url: string
  readonly port: number
  kill(): Promise<void>
  /** On the same port and data. */
  start(): Promise<void>
}

/** Starts the emulator, or with TEST_S3=ceph the server of Ceph (`npm run test:s3`). */
export const spawnS3Server = (): Promise<S3Server> =>
  process.env['TEST_S3'] === 'ceph' ? spawnRadosGateway() : spawnSqsServer()

export async function createBucket(endpoint: string, Bucket: string): Promise<void> {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials })
  await client.send(new CreateBucketCommand({ Bucket }))
  client.destroy()
}
