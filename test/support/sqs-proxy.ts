import { createServer, type IncomingHttpHeaders, request } from 'node:http'
import { listen } from './listen.ts'

/** An HTTP proxy before the SQS emulator: it sees every call, and can answer one itself. */
export interface SqsProxy extends AsyncDisposable {
  readonly url: string
  /** The emulator itself, for calls that are not recorded. */
  readonly target: string
  /** Name, input and headers of each call that was made, in order. */
  readonly calls: {
    readonly name: string
    readonly input: Record<string, unknown>
    readonly headers: IncomingHttpHeaders
  }[]
  /** Shifts every time that the emulator states, as if its clock had been set. */
  shift(seconds: number): void
}

/** The name of a call of another service, such as S3. */
export const notSqs = 'not SQS'

/** The time of a message in the reply to a receive. */
const sentAt = /("SentTimestamp":")(\d{13})/g

export type Answer = (name: string, input: Record<string, unknown>) => object | undefined

/**
 * @param answer what is replied instead of asking the emulator; undefined lets the call through
 * @param status of that reply; an error of SQS, which has a `__type`, is a 403
 */
export async function openSqsProxy(
  targetUrl: string,
  answer: Answer = () => undefined,
  status = 200,
): Promise<SqsProxy> {
  const calls: SqsProxy['calls'] = []
  let shiftMs = 0
  const server = createServer(async (incoming, reply) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk)
    const body = Buffer.concat(chunks)
    const name = String(incoming.headers['x-amz-target'] ?? notSqs).replace('AmazonSQS.', '')
    const input = JSON.parse(body.toString() || '{}')
    calls.push({ name, input, headers: incoming.headers })
    const own = answer(name, input)
    if (own) {
      reply
        .writeHead('__type' in own ? 403 : status, { 'content-type': 'application/x-amz-json-1.0' })
        .end(JSON.stringify(own))
      return
    }
    const { method, headers, url } = incoming
    const forward = request(targetUrl, { method, headers, path: url }, async (answered) => {
      const date = new Date(Date.now() + shiftMs).toUTCString()
      reply.writeHead(answered.statusCode ?? 500, { ...answered.headers, ...(shiftMs && { date }) })
      if (!shiftMs) return answered.pipe(reply)
      const text = Buffer.concat(await Array.fromAsync(answered)).toString()
      reply.end(text.replace(sentAt, (_, name: string, ms: string) => `${name}${Number(ms) + shiftMs}`))
    })
    forward.on('error', () => reply.destroy())
    reply.on('close', () => forward.destroy())
    forward.end(body)
  })
  const shift = (seconds: number): void => {
    shiftMs = seconds * 1_000
  }
  return { ...(await listen(server)), target: targetUrl, calls, shift }
}
