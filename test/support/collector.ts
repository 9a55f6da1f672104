import { createServer } from 'node:http'
import { listen } from './listen.ts'

type Attributes = Readonly<Record<string, string | number | boolean>>

export interface Span {
  readonly name: string
  readonly kind: number
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly traceState: string
  readonly links: readonly { traceId: string; spanId: string }[]
  readonly attributes: Attributes
  readonly status: { readonly code?: number; readonly message?: string }
  /** Of the process. */
  readonly resource: Attributes
}

/** Kinds of spans, as OTLP counts them. */
export const server = 2
export const consumer = 5

/** Opens what an exporter needs of a collector: OTLP over HTTP, as JSON. */
export async function openCollector(port = 0) {
  const spans: Span[] = []
  const web = createServer(async (request, reply) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { resourceSpans = [] } = JSON.parse(Buffer.concat(chunks).toString())
    for (const { resource, scopeSpans } of resourceSpans) {
      for (const scope of scopeSpans) for (const span of scope.spans) spans.push(read(span, resource))
    }
    reply.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
  return { ...(await listen(web, port)), spans }
}

type Sent = { readonly attributes?: readonly { key: string; value: Readonly<Record<string, string | number>> }[] }

function read(span: Sent, resource: Sent): Span {
  const none = { parentSpanId: '', traceState: '', links: [], status: {} }
  return { ...none, ...span, attributes: plain(span), resource: plain(resource) } as unknown as Span
}

const plain = ({ attributes = [] }: Sent): Attributes =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0] ?? '']))
