import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Pod } from './pod.ts'

/** Passes each connection on to one Pod that is ready, as a Service does. */
export async function openService(pods: () => readonly Pod[]): Promise<{ readonly url: string } & AsyncDisposable> {
  const sockets = new Set<Socket>()
  let nth = 0
  const server = createServer((client) => {
    const ready = pods().filter((pod) => pod.isReady())
    const pod = ready[nth++ % ready.length]
    if (!pod) return void client.resetAndDestroy()
    const behind = connect(pod.address)
    for (const [from, to] of [
      [client, behind],
      [behind, client],
    ] as const) {
      sockets.add(from)
      from.pipe(to)
      from.on('error', () => to.destroy())
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = async (): Promise<void> => {
    server.close()
    for (const socket of sockets) socket.destroy()
    await once(server, 'close')
  }
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: close }
}
