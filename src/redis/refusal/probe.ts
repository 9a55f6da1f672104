import { connect as connectPlain, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { RedisAddress } from '../../config/redis-url.ts'
import { messageOf } from '../../errors.ts'

/** The first line that a port replies to a PING: in plain text, and over TLS if it accepts that. */
export interface Heard {
  readonly plain: string
  /** Undefined without TLS. */
  readonly tls: string | undefined
}

/** Reads the line that a server sends before it closes; a client library reports only a reset connection. */
export async function listenTo(address: RedisAddress, tls: ConnectionOptions | undefined): Promise<Heard> {
  const secured = connectTls({ ...address, ...tls, rejectUnauthorized: false })
  let isSecure = false
  secured.once('secureConnect', () => {
    isSecure = true
  })
  const [plain, overTls] = await Promise.all([firstLine(connectPlain(address)), firstLine(secured)])
  return { plain, tls: isSecure ? overTls : undefined }
}

/** Stands for the TLS alert of a server that requires a client certificate. It arrives after the handshake. */
export const certificateWanted = 'certificate wanted'

/** Together with a first connection still within two seconds. */
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

/** The reply may be binary. */
const plain = (line: string): string => line.replace(/[^ -~]/g, '').slice(0, 80)
