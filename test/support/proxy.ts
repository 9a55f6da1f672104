import { once } from 'node:events'
import { createServer, connect as open, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A TCP proxy on loopback whose connections a test can cut, delay and freeze. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number
  /** Number of open connections. */
  connections(): number
  /** Ends every connection with a reset, as a router that forgets them. */
  cut(): void
  /** Each chunk passes so much later, in both directions; 0 is at once. */
  delay(ms: number): void
  /** Connections stay open, new ones are accepted, and no byte passes until `thaw`. */
  freeze(): void
  thaw(): void
  /** The connections there are stay open and never carry a byte again; those that are opened after work. */
  abandon(): void
  /** Connections that are opened from now on lead to another server on loopback; those there are stay where they are. */
  leadTo(port: number): void
}

export async function openProxy(targetPort: number): Promise<TcpProxy> {
  const pipes = new Set<Pipe>()
  const abandoned = new Set<Pipe>()
  const way: Way = { delayMs: 0, frozen: false }
  let target = targetPort
  const server = createServer({ noDelay: true }, (near) => {
    const far = open({ port: target, host: '127.0.0.1', noDelay: true })
    const pipe = { near, far }
    pipes.add(pipe)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', carrier(to, way))
      from.on('error', () => {})
      from.on('close', () => {
        pipes.delete(pipe)
        abandoned.delete(pipe)
        to.destroy()
      })
    }
    if (way.frozen) pause(pipe)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const cut = (): void => {
    for (const { near, far } of pipes) for (const socket of [near, far]) socket.resetAndDestroy()
  }
  return {
    port: address.port,
    connections: () => pipes.size,
    cut,
    delay: (ms) => {
      way.delayMs = ms
    },
    freeze: () => {
      way.frozen = true
      for (const pipe of pipes) pause(pipe)
    },
    thaw: () => {
      way.frozen = false
      for (const { near, far } of pipes) for (const socket of [near, far]) socket.resume()
    },
    abandon: () => {
      for (const pipe of pipes) {
        pause(pipe)
        pipes.delete(pipe)
        abandoned.add(pipe)
      }
    },
    leadTo: (port) => {
      target = port
    },
    [Symbol.asyncDispose]: async () => {
      for (const pipe of abandoned) pipes.add(pipe)
      server.close()
      cut()
      await once(server, 'close')
    },
  }
}

interface Pipe {
  readonly near: Socket
  readonly far: Socket
}

interface Way {
  delayMs: number
  frozen: boolean
}

/** Passes chunks on in the order they came, each after the delay that held when it came. */
function carrier(to: Socket, way: Way): (chunk: Buffer) => void {
  let passed = Promise.resolve()
  return (chunk) => {
    const due = performance.now() + way.delayMs
    passed = passed.then(async () => {
      const waitMs = due - performance.now()
      if (waitMs > 0) await sleep(waitMs)
      if (to.writable) to.write(chunk)
    })
  }
}

function pause({ near, far }: Pipe): void {
  near.pause()
  far.pause()
}
