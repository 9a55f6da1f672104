import { once } from 'node:events'
import type { Config } from '../config/config.ts'
import { problemOf, problemText, problemType } from './http/problem.ts'
import { listening, type Port } from './listen.ts'
import { requestIdFrom, requestIdHeader } from './request-log.ts'

// An import would also load Node's WebSocket client: 75 ms of CPU at every start.
const { createServer } = process.getBuiltinModule('node:http')

/**
 * Opens a server that says "alive, not ready" while this process waits for what it needs. Dispose it before the real
 * server opens on the same port.
 * @param detail the reply of every path except /livez
 * @throws OrdersError ORD_PORT_TAKEN
 */
export async function openWaiting(
  config: Config,
  port: Port,
  detail: string,
): Promise<AsyncDisposable & { url: string }> {
  const notReady = problemOf(503, detail)
  const server = createServer((request, response) => {
    const isAlive = request.url?.split('?')[0] === '/livez'
    const id = requestIdFrom(request.headers[requestIdHeader])
    const type = isAlive ? 'application/json' : problemType
    response.writeHead(isAlive ? 200 : 503, { 'content-type': type, [requestIdHeader]: id })
    response.end(isAlive ? '{"status":"ok","loops":{}}' : problemText(notReady, id))
  }).listen(port.port, config.apiHost)
  const url = await listening(server, config, port)
  const close = async (): Promise<void> => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  return { url, [Symbol.asyncDispose]: close }
}
