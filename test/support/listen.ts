import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Opens an HTTP server on a loopback port, a free one if none is given; disposed, it cuts every connection. */
export async function listen(server: Server, free = 0): Promise<{ readonly url: string } & AsyncDisposable> {
  server.listen(free, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const close = async (): Promise<void> => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: close }
}
