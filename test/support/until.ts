import { setTimeout as sleep } from 'node:timers/promises'

/** Against hanging; nothing is expected to take so long. */
const usualLimitMs = 90_000

/** Waits longer between two questions the longer it has waited: each takes processor time from what is under test. */
const pauseMs = (waitedMs: number): number => Math.min(20 + waitedMs / 20, 250)

/** Asks again and again until the answer is accepted, and gives it. */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  accepted: (answer: T) => boolean = Boolean,
  limitMs = usualLimitMs,
): Promise<T> {
  const start = performance.now()
  for (;;) {
    const answer = await ask()
    if (accepted(answer)) return answer
    const waitedMs = performance.now() - start
    if (waitedMs > limitMs) throw new Error(`Waited unsuccessfully for ${what}: ${JSON.stringify(answer)}`)
    await sleep(pauseMs(waitedMs))
  }
}
