import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, type Socket } from 'node:net'
import express from 'express'
import { expect, test } from 'vitest'
import { openOutbox } from '../../../../src/api/http/outbox.ts'
import { until } from '../../../support/until.ts'

const mega = 2 ** 20
/** More than the two ends of a connection keep by themselves. */
const long = 'x'.repeat(20 * mega)

/** A client that asks and takes nothing of the reply. */
async function stuck(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.pause()
  socket.write('GET /long HTTP/1.1\r\nhost: x\r\n\r\n')
  await once(socket, 'connect')
  return socket
}

test('long replies that no client reads are bounded in all; short ones go on, and room comes back', async () => {
  const outbox = openOutbox(2.5 * long.length)
  let sent = 0
  const server = express()
    .get('/long', (_request, response) => {
      if (outbox.send(response, long)) sent++
      else response.status(503).end()
    })
    .get('/short', (_request, response) => {
      outbox.send(response, 'short')
    })
    .listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const readers = [await stuck(port), await stuck(port)]
  await until('both replies to be on their way', () => sent === 2)
  expect((await fetch(`${url}/long`)).status).toBe(503)
  expect(await (await fetch(`${url}/short`)).text()).toBe('short')
  readers[0]?.destroy()
  const again = await until(
    'room for another',
    () => fetch(`${url}/long`),
    ({ status }) => status === 200,
  )
  expect(await again.text()).toHaveLength(long.length)
  readers[1]?.destroy()
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
})

test('a reply whose client has left before it was ready is not counted', async () => {
  const outbox = openOutbox(1.5 * long.length)
  let late = 0
  const server = express()
    .get('/late', async (_request, response) => {
      if (!response.closed) await once(response, 'close')
      outbox.send(response, long)
      late++
    })
    .get('/long', (_request, response) => {
      if (!outbox.send(response, long)) response.status(503).end()
    })
    .listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  for (let at = 0; at < 3; at++) {
    const socket = connect(port, '127.0.0.1')
    socket.write('GET /late HTTP/1.1\r\nhost: x\r\n\r\n', () => socket.destroy())
    await until('the reply to a client that left', () => late === at + 1)
  }
  expect((await fetch(`http://127.0.0.1:${port}/long`)).status).toBe(200)
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})
