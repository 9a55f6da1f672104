import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Config } from '../config/config.ts'
import { messageOf, OrdersError } from '../errors.ts'

/** A port and the variable that chose it. */
export interface Port {
  readonly variable: 'API_PORT' | 'METRICS_PORT'
  readonly port: number
}

/** Resolves to the URL of a server once it listens. @throws OrdersError ORD_PORT_TAKEN */
export async function listening(server: Server, { apiHost }: Config, { variable, port }: Port): Promise<string> {
  try {
    await once(server, 'listening')
  } catch (error) {
    const where = `${apiHost}:${port}`
    const taken = messageOf(error).includes('EADDRINUSE')
    const advice = taken ? `stop what uses it or set ${variable}` : 'set API_HOST to an address of this machine'
    const message = `Cannot listen on ${where} (${messageOf(error)}): ${advice}.`
    throw new OrdersError('ORD_PORT_TAKEN', message, { cause: error })
  }
  return urlOf(apiHost, (server.address() as AddressInfo).port)
}

function urlOf(host: string, port: number): string {
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}
