import { randomUUID } from 'node:crypto'
import diagnostics from 'node:diagnostics_channel'
import { type IncomingMessage, Server, type ServerResponse } from 'node:http'

/*
 * SQS has two protocols: JSON since November 2023, before it the query protocol. The local emulator speaks the first; what
 * it replies to the second is no help. It speaks the query protocol for other services, which is left to it.
 */

/** Names the versions that came first with the JSON protocol. */
const sentence =
  'The local SQS emulator speaks the JSON protocol only, and this client the query protocol that came before it: use AWS CLI 2.13.28 (1.29.82 of version 1), boto3 1.28.82 or newer.'

/** While this is held, an HTTP server that begins to listen answers calls of SQS in the query protocol with a sentence. */
export function refuseQueryProtocol(): Disposable {
  const listen = 'tracing:net.server.listen:asyncStart'
  const wrap = (message: unknown): void => {
    const { server } = message as { server: unknown }
    if (server instanceof Server) refuseOn(server)
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
    // Clients put the action first: the first part of the body tells, and is put back for the emulator.
    request.once('readable', () => {
      const begin: Buffer | null = request.read()
      if (isQueryCall(String(begin ?? ''))) return refuse(request, response)
      if (begin) request.unshift(begin)
      pass()
    })
  })
}

/** Operations of SQS; of the other services that the emulator has none is called so. */
const operation = /^(\w*Queues?\w*|(Send|Receive|Delete|Change)Message\w*)$/

function isQueryCall(form: string): boolean {
  return operation.test(new URLSearchParams(form).get('Action') ?? '')
}

/** An error as clients of the query protocol read and print it. */
function refuse(request: IncomingMessage, response: ServerResponse): void {
  request.resume() // a body that nobody reads would hold the connection up
  const error = `<Error><Type>Sender</Type><Code>UnsupportedProtocol</Code><Message>${sentence}</Message><Detail/></Error>`
  const reply = `<ErrorResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/">${error}<RequestId>${randomUUID()}</RequestId></ErrorResponse>`
  response.writeHead(400, { 'content-type': 'text/xml' }).end(`<?xml version="1.0"?>${reply}`)
}
