import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { listen } from './listen.ts'

export interface Received {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** An HTTP server that writes down every request, byte for byte, and answers by a script. */
export interface HttpScript extends AsyncDisposable {
  readonly url: string
  readonly requests: Received[]
}

export type Reply = (response: ServerResponse, at: number) => void

/** @param reply gets the number of the request, from 0; what does not end the response leaves it open */
export async function openHttpScript(reply: Reply): Promise<HttpScript> {
  const requests: Received[] = []
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk)
    const { method, url, headers } = incoming
    requests.push({ method, url, headers, body: Buffer.concat(chunks).toString() })
    response.sendDate = false // a client takes the server's time for right: only where a test says so
    reply(response, requests.length - 1)
  })
  return { ...(await listen(server)), requests }
}

/** A reply in JSON. */
export const json =
  (status: number, body: object, headers: Record<string, string> = {}): Reply =>
  (response) =>
    void response
      .writeHead(status, { 'content-type': 'application/x-amz-json-1.0', ...headers })
      .end(JSON.stringify(body))
