import { randomUUID } from 'node:crypto'
import diagnostics from 'node:diagnostics_channel'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'

// An import would also load Node's WebSocket client: 75 ms of CPU at every start.
const http = process.getBuiltinModule('node:http')

/*
 * SQS has two protocols: JSON since November 2023, and the older query protocol. The local emulator speaks only JSON for
 * SQS, and its replies to the query protocol do not help a user. Calls of other services pass through to it.
 */

/** Names the first versions that speak the JSON protocol. */
const sentence =
  'The local SQS emulator speaks only the JSON protocol, but this client speaks the older query protocol: use AWS CLI 2.13.28 (1.29.82 of version 1), boto3 1.28.82 or newer.'

/** Makes HTTP servers that start to listen refuse SQS calls in the query protocol with that sentence, until disposed. */
export function refuseQueryProtocol(): Disposable {
  const listen = 'tracing:net.server.listen:asyncStart'
  const wrap = (message: unknown): void => {
    const { server } = message as { server: unknown }
    if (server instanceof http.Server) refuseOn(server)
  }
  diagnostics.subscribe(listen, wrap)
  return { [Symbol.dispose]: () => void diagnostics.unsubscribe(listen, wrap) }
}

function refuseOn(server: Server): void {
  const listeners = server.listeners('request')
  server.removeAllListeners('request')
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const pass = (): void => {
      for (const listener of listeners) Reflect.apply(listener, server, [request, response])
    }
    if (isQueryCall(request.url?.split('?')[1] ?? '')) return refuse(request, response)
    if (!request.headers['content-type']?.includes('x-www-form-urlencoded')) return pass()
    // Clients send the action first, so the first chunk of the body is enough. It is put back for the emulator.
    request.once('readable', () => {
      const begin: Buffer | null = request.read()
      if (isQueryCall(String(begin ?? ''))) return refuse(request, response)
      if (begin) request.unshift(begin)
      pass()
    })
  })
}

/** Matches operations of SQS. No other service of the emulator has an operation with such a name. */
const operation = /^(\w*Queues?\w*|(Send|Receive|Delete|Change)Message\w*)$/

function isQueryCall(form: string): boolean {
  return operation.test(new URLSearchParams(form).get('Action') ?? '')
}

/** Replies with an error in the form that clients of the query protocol print. */
function refuse(request: IncomingMessage, response: ServerResponse): void {
  request.resume() // an unread body would block the connection
  const error = `<Error><Type>Sender</Type><Code>UnsupportedProtocol</Code><Message>${sentence}</Message><Detail/></Error>`
  const reply = `<ErrorResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/">${error}<RequestId>${randomUUID()}</RequestId></ErrorResponse>`
  response.writeHead(400, { 'content-type': 'text/xml' }).end(`<?xml version="1.0"?>${reply}`)
}
