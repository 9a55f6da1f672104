import { once } from 'node:events'
import type { Config } from '../config/config.ts'
import { problemOf, problemText, problemType } from './http/problem.ts'
import { listening, type Port } from './listen.ts'
import { requestIdFrom, requestIdHeader } from './request-log.ts'

// An import would also load Node's WebSocket client: 75 ms of CPU at every start.
const { createServer } = process.getBuiltinModule('node:http')

/** As prom-client has it. */
const metricsType = 'text/plain; version=0.0.4; charset=utf-8'

/**
 * Opens a server that says "alive, not ready" while this process waits for what it needs. Dispose it before the real
 * server opens on the same port.
 * @param detail the reply of every other path than /livez
 * @param metrics the reply of /metrics, if it has one
 * @throws OrdersError ORD_PORT_TAKEN
 */
export async function openWaiting(
  config: Config,
  port: Port,
  detail: string,
  metrics?: string,
): Promise<AsyncDisposable & { url: string }> {
  const notReady = problemOf(503, detail)
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0]
    const id = requestIdFrom(request.headers[requestIdHeader])
    const reply = (status: number, type: string, body: string): void =>
      void response.writeHead(status, { 'content-type': type, [requestIdHeader]: id }).end(body)
    if (path === '/livez') reply(200, 'application/json', '{"status":"ok","loops":{}}')
    else if (path === '/metrics' && metrics !== undefined) reply(200, metricsType, metrics)
    else reply(503, problemType, problemText(notReady, id))
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
