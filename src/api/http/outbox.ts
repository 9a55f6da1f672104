import type { Response } from 'express'

/**
 * Keeps count of the long replies that clients have not taken yet, so that readers that take nothing cannot fill the memory.
 * Short ones are not counted: Node stops reading from a connection whose replies pile up.
 */
export interface Outbox {
  /** Sends a body. @returns false where too much waits already; nothing is sent then */
  send(response: Response, body: string): boolean
}

/** What the largest page of invalid orders has, some times over. */
const maxWaitingBytes = 64 * 2 ** 20
const longBytes = 64 * 2 ** 10

export function openOutbox(maxBytes = maxWaitingBytes): Outbox {
  let waiting = 0
  return {
    send: (response, body) => {
      if (response.closed) return true // the client has left: nobody takes it
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
