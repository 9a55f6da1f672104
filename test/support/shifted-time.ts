import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/** A proxy in front of Redis that shifts the time that Redis reports: as if its clock had been set. */
export interface ShiftedTime extends AsyncDisposable {
  readonly port: number
  shift(seconds: number): void
}

/** Matches the reply of Redis to TIME, alone or within another reply. */
const reported = /\*2\r\n\$10\r\n(\d{10})\r\n(\$\d\r\n\d{1,6}\r\n)/g

export async function openShiftedTime(targetPort: number): Promise<ShiftedTime> {
  let shiftSeconds = 0
  const sockets = new Set<{ destroy(): void }>()
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port: targetPort, host: '127.0.0.1', noDelay: true })
    near.on('data', (chunk) => far.write(chunk))
    far.on('data', (chunk) => {
      const text = chunk.toString('latin1').replace(reported, (_, seconds: string, micros: string) => {
        return `*2\r\n$10\r\n${Number(seconds) + shiftSeconds}\r\n${micros}`
      })
      near.write(Buffer.from(text, 'latin1'))
    })
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    shift: (seconds) => {
      shiftSeconds = seconds
    },
    [Symbol.asyncDispose]: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}
