import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { readAudit } from '../../../../src/control/audit-log.ts'
import { openTestApi } from '../../../support/api.ts'

/** Sends a request byte for byte: clients of Node encode headers by themselves. */
async function sendBytes(url: string, bytes: Buffer): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.write(bytes)
  let reply = ''
  for await (const chunk of socket) reply += chunk
  return reply.split('\r\n')[0] ?? ''
}

test.each([
  ['UTF-8', Buffer.from('jürgen 李雷 🦊'), 'jürgen 李雷 🦊'],
  ['latin1', Buffer.from('jürgen', 'latin1'), 'jürgen'],
  ['ASCII', Buffer.from('ann'), 'ann'],
])('a name in %s in X-Operator is in the audit as it was meant', async (_, name, meant) => {
  await using server = await openTestApi()
  const head = 'POST /admin/pause/validate HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n'
  const rest = 'content-length: 2\r\nconnection: close\r\n\r\n{}'
  const request = Buffer.concat([Buffer.from(`${head}x-operator: `), name, Buffer.from(`\r\n${rest}`)])
  expect(await sendBytes(server.url, request)).toBe('HTTP/1.1 200 OK')
  expect(await readAudit(server.redis, server.app.control, { limit: 1 })).toMatchObject([{ by: meant }])
})
