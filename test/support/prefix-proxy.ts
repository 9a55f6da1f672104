import { createServer, request as httpRequest } from 'node:http'
import { listen } from './listen.ts'

/**
 * A reverse proxy as nginx is with `location <prefix>/ { proxy_pass <target>/; }`: it takes the prefix away, and puts the
 * target's name in Host. What is not under the prefix is 404 here.
 */
export async function openPrefixProxy(
  target: string,
  prefix: string,
): Promise<{ readonly url: string } & AsyncDisposable> {
  const server = createServer((incoming, response) => {
    const { url = '', method, headers } = incoming
    if (!url.startsWith(`${prefix}/`)) return void response.writeHead(404).end()
    const asked = { method, headers: { ...headers, host: new URL(target).host } }
    const outgoing = httpRequest(`${target}${url.slice(prefix.length)}`, asked, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    outgoing.on('error', () => response.destroy())
    response.on('close', () => outgoing.destroy())
    incoming.pipe(outgoing)
  })
  const { url, [Symbol.asyncDispose]: close } = await listen(server)
  return { url: `${url}${prefix}`, [Symbol.asyncDispose]: close }
}
