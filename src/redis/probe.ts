import { connect as connectPlain, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { RedisAddress } from '../config/redis-url.ts'
import { messageOf } from '../errors.ts'

/** The first line that a port says to a PING, in the clear, and over TLS if it speaks it. */
export interface Heard {
  readonly plain: string
  /** Undefined where there is no TLS. */
  readonly tls: string | undefined
}

/** A client library shows an early goodbye as a reset connection; this reads it. */
export async function listenTo(address: RedisAddress, tls: ConnectionOptions | undefined): Promise<Heard> {
  const secured = connectTls({ ...address, ...tls, rejectUnauthorized: false })
  let isSecure = false
  secured.once('secureConnect', () => {
    isSecure = true
  })
  const [plain, overTls] = await Promise.all([firstLine(connectPlain(address)), firstLine(secured)])
  return { plain, tls: isSecure ? overTls : undefined }
}

/** Stands for the alert of a server that wants to see our certificate: it sends it after its own has been accepted. */
export const certificateWanted = 'certificate wanted'

/** Beside the time that a first connection takes, still within two seconds. */
const listenMs = 300

function firstLine(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let heard = ''
    const end = (): void => {
      clearTimeout(timeout)
      socket.destroy()
      resolve(plain(heard.split('\r\n')[0] ?? ''))
    }
    const timeout = setTimeout(end, listenMs)
    socket.on('data', (chunk) => {
      heard += chunk
      if (heard.includes('\n')) end()
    })
    socket.on('error', (error) => {
      if (messageOf(error).includes('certificate required')) heard = certificateWanted
    })
    socket.once('close', end)
    socket.write('PING\r\n')
  })
}

/** What answers there may be binary. */
const plain = (line: string): string => line.replace(/[^ -~]/g, '').slice(0, 80)
