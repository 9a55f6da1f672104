import { createServer, type RequestListener } from 'node:http'
import { expect, test } from 'vitest'
import { apiSource } from '../../../../src/ops/terminal/snapshot-source.ts'
import { listen } from '../../../support/listen.ts'
import { spawnOrders } from '../../../support/process.ts'
import { until } from '../../../support/until.ts'

/** Clears the screen, sets the title, is its C1 form, turns the direction, hides, and begins a line that looks like ours. */
const attack = '\u001b[2J\u001b]0;owned\u0007\u009b31m\u202e\u200b\u2066\nBooks balance'
/** All that may control a terminal, but for the end of a line. */
const controls = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u

const count = 1
const evil = `evil${attack}`
const snapshot = {
  at: '2026-11-23T10:00:00.000Z',
  hops: [
    {
      name: evil,
      after: evil,
      per_second: 1,
      waiting: count,
      p50_ms: 1,
      p99_ms: 1,
      pending: 1,
      oldest_pending_ms: 1,
      oldest_waiting_ms: 1,
      processes: 1,
      stall: evil,
      consumers: 1,
      paused: { by: evil, ts: '2026-11-23T10:00:00.000Z', reason: evil },
    },
  ],
  sqs: { visible: 1, in_flight: 1, dead_letters: 1 },
  totals: {
    received: 1,
    replayed: 0,
    admitted: 1,
    duplicates: 0,
    rejected: 0,
    waiting: 0,
    counted: 1,
    ranked: 1,
    revenue_minor: 1,
    invalid: 0,
  },
  critical: { p50_ms: 1, p99_ms: 1 },
  timeline: { from: '2026-11-23T10:00:00.000Z', slot_ms: 1, ranked: [], rejected: [], p50_ms: [], p99_ms: [] },
  top: { spend: [{ user_id: evil, spend_minor: 1 }], orders: [{ user_id: evil, orders: 1 }] },
  failed: [
    {
      code: 'bad-value',
      reason: evil,
      count,
      first: '2026-11-23T10:00:00.000Z',
      last: '2026-11-23T10:00:00.000Z',
      last_minute: 1,
      minute_before: 1,
      example: { id: evil },
    },
  ],
  books: { balanced: false, differences: [evil], lost: 0, notes: [evil] },
  memory: null,
  unread: [{ reading: evil, why: evil }],
}

const event = (kind: string, data: unknown): string => `event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`

/** An API that sends these events to every viewer. */
const lying =
  (...events: string[]): RequestListener =>
  (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const one of events) response.write(one)
  }

test('orders tail shows what an API sends, and nothing of it controls the terminal', async () => {
  await using api = await listen(createServer(lying(event('snapshot', snapshot), event('away', { detail: evil }))))
  await using tail = spawnOrders(['tail', '--url', api.url], {})
  await until('what it says', () => tail.stdout().includes('Books balance') && tail.stderr().includes('owned'))
  await tail.kill('SIGINT')
  expect(tail.stdout()).not.toMatch(controls)
  expect(tail.stderr()).not.toMatch(controls)
  expect(tail.stdout()).not.toMatch(/^Books balance/m)
  expect(tail.stdout()).toContain('is paused by evil\\u{1b}[2J')
  expect(tail.stderr()).toContain('evil\\u{1b}[2J\\u{1b}]0;owned\\u{7}\\u{9b}31m\\u{202e}\\u{200b}\\u{2066}\\u{a}Books')
})

test('orders tail --json shows it as JSON that any reader takes, and that controls nothing either', async () => {
  await using api = await listen(createServer(lying(event('snapshot', snapshot))))
  await using tail = spawnOrders(['tail', '--json', '--url', api.url], {})
  await until('what it says', () => tail.stdout().endsWith('\n'))
  await tail.kill('SIGINT')
  expect(tail.stdout()).not.toMatch(controls)
  expect(JSON.parse(tail.stdout())).toEqual(snapshot)
})

test('what is no snapshot is said, and is no fault of ours', async () => {
  await using api = await listen(createServer(lying(event('snapshot', { at: 'now' }))))
  const { value } = await apiSource(api.url, new AbortController().signal).next()
  expect(value).toEqual({
    away: `The API at ${api.url} does not answer (it does not send the snapshots of this version of orders): make sure that it runs, and check --url.`,
  })
})

test('the user, password and query of --url are not printed where the API does not answer', async () => {
  await using api = await listen(createServer((_, response) => void response.writeHead(401).end()))
  const url = `${api.url.replace('//', '//hans:hunter2@')}/?key=hunter2`
  const { value } = await apiSource(url, new AbortController().signal).next()
  expect(value).toEqual({ away: expect.stringContaining(`The API at ${api.url.replace('//', '//***@')}/?*** `) })
  expect(JSON.stringify(value)).not.toMatch(/hans|hunter2/)
})
