import type { Response } from 'express'

/**
 * Counts the long replies that clients have not read yet, so that clients that read nothing cannot fill the memory.
 * Short replies are not counted: Node stops reading from a connection whose replies pile up.
 */
export interface Outbox {
  /** Sends a body. Returns false without sending it if too much waits already. */
  send(response: Response, body: string): boolean
}

/** Several times the largest page of invalid orders. */
const maxWaitingBytes = 64 * 2 ** 20
const longBytes = 64 * 2 ** 10

export function openOutbox(maxBytes = maxWaitingBytes): Outbox {
  let waiting = 0
  return {
    send: (response, body) => {
      if (response.closed) return true // the client has disconnected
      const bytes = body.length < longBytes / 3 ? 0 : Buffer.byteLength(body)
      if (bytes < longBytes) {
        response.send(body)
        return true
      }
      if (waiting + bytes > maxBytes && waiting > 0) return false
      waiting += bytes
      response.once('close', () => {
        waiting -= bytes
      })
      response.send(body)
      return true
    },
  }
}
