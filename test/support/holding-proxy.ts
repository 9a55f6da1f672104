import { once } from 'node:events'
import { createServer, connect as open, type Socket } from 'node:net'

/** A TCP proxy before Redis that counts commands and can hold back connections that carry a command. */
export interface HoldingProxy extends AsyncDisposable {
  readonly port: number
  /** Holds each connection that sends this command from now on, the command included, until `release`. */
  hold(command: string): void
  /** Loses the reply to the command that carries this text, and all connections with it; refuses new ones. */
  lose(text: string): void
  /** Returns how many connections are held. */
  held(): number
  release(): void
  /** Returns how often the command was sent, held ones included. */
  sent(command: string): number
}

export async function openHoldingProxy(targetPort: number): Promise<HoldingProxy> {
  const sockets = new Set<Socket>()
  const seen: string[] = []
  let wanted: string | undefined
  let lost: string | undefined
  let held: { readonly near: Socket; readonly far: Socket; readonly chunk: Buffer }[] = []
  const server = createServer({ noDelay: true }, (near) => {
    const far = open({ port: targetPort, host: '127.0.0.1', noDelay: true })
    far.pipe(near)
    near.on('data', (chunk) => {
      const text = chunk.toString('latin1').toLowerCase()
      seen.push(text)
      if (lost !== undefined && text.includes(lost.toLowerCase())) {
        server.close()
        far.unpipe(near)
        far.once('data', () => {
          for (const socket of sockets) socket.destroy()
        })
      }
      if (wanted === undefined || !carries(text, wanted)) return void far.write(chunk)
      near.pause()
      held.push({ near, far, chunk })
    })
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    hold: (command) => {
      wanted = command
    },
    lose: (text) => {
      lost = text
    },
    held: () => held.length,
    release: () => {
      wanted = undefined
      for (const { near, far, chunk } of held) {
        far.write(chunk)
        near.resume()
      }
      held = []
    },
    sent: (command) => seen.reduce((sum, text) => sum + text.split(word(command)).length - 1, 0),
    [Symbol.asyncDispose]: async () => {
      const closed = server.listening && once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** As a command stands on the wire: each word between line ends. */
const word = (command: string): string => `\r\n${command}\r\n`
const carries = (text: string, command: string): boolean => text.includes(word(command))
