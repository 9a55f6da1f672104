import { expect, test } from 'vitest'
import { withRunningTimeout } from '../../src/running-timeout.ts'

const untilAborted = (signal: AbortSignal, reply: (resolve: () => void) => void) =>
  new Promise<void>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    reply(resolve)
  })

test('a reply that came while the process stalled for longer than the timeout is taken', async () => {
  const stalled = (resolve: () => void): void =>
    void setImmediate(() => {
      const until = performance.now() + 100
      while (performance.now() < until);
      setImmediate(resolve) // after the timers that are due
    })
  await withRunningTimeout(40, (signal) => untilAborted(signal, stalled))
})

test('a call without a reply ends with a TimeoutError', async () => {
  const never = withRunningTimeout(20, (signal) => untilAborted(signal, () => {}))
  await expect(never).rejects.toMatchObject({ name: 'TimeoutError' })
})
