import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { removeOnExit } from '../support/on-exit.ts'
import { spawnOrders } from '../support/process.ts'
import { runOrders } from '../support/run-orders.ts'
import { until } from '../support/until.ts'

test('the demo names what to type next, sends a trickle if asked to, and says at its end that its data is gone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'orders-test-demo-'))
  using _ = removeOnExit(folder)
  const env = { API_PORT: '0', DATA_DIR: join(folder, '.data') }
  await using demo = spawnOrders(['demo', '--trickle'], env)
  await until('the demo to be done', () => demo.stdout().includes('Ctrl-C stops.') || !demo.isRunning())
  expect(demo.stderr()).toBe('')
  const text = demo.stdout()

  const [, traced = ''] = /^ {2}npx orders (trace \S+ --user \S+)$/m.exec(text) ?? []
  await using trace = runOrders(traced.split(' '), env)
  expect([await trace.exit(), trace.stderr()]).toEqual([{ code: 0, signal: null }, ''])
  expect(trace.stdout()).toMatch(/ is counted/)
  const [, invalid = ''] = /^ {2}curl (\S+)$/m.exec(text) ?? []
  expect(await (await fetch(invalid)).json()).toMatchObject({ code: expect.any(String) })
  expect(text).toMatch(/^ {2}npx orders pause aggregate$/m)

  const api = /^API +(\S+)$/m.exec(text)?.[1] ?? ''
  const orders = async (): Promise<number> =>
    ((await (await fetch(api)).json()) as { total_orders: number }).total_orders
  await until('the trickle', orders, (count) => count >= 1_050)
  expect(await demo.kill('SIGINT')).toEqual({ code: 0, signal: null })
  expect(demo.stdout().slice(text.length)).toBe('Stopped; its data is gone. `npm start` keeps it.\n')
})

test('on the emulator the demo and start say at their end that nothing is kept, and the demo sends fewer orders', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'orders-test-demo-'))
  using _ = removeOnExit(folder)
  const env = { API_PORT: '0', DATA_DIR: join(folder, '.data'), PATH: folder }
  for (const [args, line] of [
    [['demo', '--trickle'], /^Stopped; its data is gone\. To keep it, install redis-server or set REDIS_URL, and run/],
    [['start'], /^Stopped; the emulator of Redis keeps no data, so it is gone\. To keep it, install redis-server/],
  ] as const) {
    await using orders = spawnOrders([...args], env)
    await until('it to run', () => orders.stdout().includes('Ctrl-C stops.') || !orders.isRunning())
    const text = orders.stdout()
    expect(text.includes('From now on 10 to 20 orders a second are sent, some of them invalid, 3,000 in all.')).toBe(
      args[0] === 'demo',
    )
    expect(await orders.kill('SIGINT')).toEqual({ code: 0, signal: null })
    expect(orders.stdout().slice(text.length)).toMatch(line)
  }
})

test('the demo refuses two options that contradict each other', async () => {
  await using demo = runOrders(['demo', '--trickle', '--no-trickle'], {})
  expect(await demo.exit()).toEqual({ code: 2, signal: null })
  expect(demo.stderr()).toBe('orders demo: --trickle and --no-trickle contradict each other: give one.\n')
})
