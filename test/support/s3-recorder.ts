import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Describes a call to S3: the right that it needs, and on which object. */
export interface S3Call {
  readonly action: string
  /** The bucket, or the bucket with the name of the object. */
  readonly resource: string
  /** Of a list. */
  readonly prefix?: string
}

/** Passes calls on to an S3, and notes them. */
export interface S3Recorder extends AsyncDisposable {
  readonly url: string
  readonly calls: S3Call[]
}

const actions: Readonly<Record<string, string>> = {
  GET: 's3:GetObject',
  HEAD: 's3:GetObject',
  PUT: 's3:PutObject',
  DELETE: 's3:DeleteObject',
}

/** @param refuses returns true for a call that is answered by a 503 */
export async function openS3Recorder(
  target: string,
  refuses: (call: S3Call) => boolean = () => false,
): Promise<S3Recorder> {
  const calls: S3Call[] = []
  const server = createServer((incoming, response) => {
    const call = callOf(incoming)
    calls.push(call)
    if (refuses(call)) response.writeHead(503).end()
    else passOn(target, incoming, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function callOf({ method = '', url = '' }: IncomingMessage): S3Call {
  const { pathname, searchParams } = new URL(url, 'http://s3')
  const resource = decodeURIComponent(pathname).replace(/^\/|\/$/g, '')
  const isList = !resource.includes('/') && method === 'GET'
  if (isList) return { action: 's3:ListBucket', resource, prefix: searchParams.get('prefix') ?? '' }
  return { action: actions[method] ?? method, resource }
}

function passOn(target: string, incoming: IncomingMessage, response: ServerResponse): void {
  const { method, headers, url = '' } = incoming
  const outgoing = request(new URL(url, target), { method, headers }, (reply) => {
    response.writeHead(reply.statusCode ?? 500, reply.headers)
    reply.pipe(response)
  })
  outgoing.on('error', () => response.destroy())
  incoming.pipe(outgoing)
}
