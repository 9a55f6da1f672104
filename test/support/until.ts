import { setTimeout as sleep } from 'node:timers/promises'

/** Against hanging; nothing is expected to take so long. */
const deadlineMs = 90_000

/** What takes longer is asked less often: asking takes from the processor time of those who are asked. */
const patientAfterMs = 1_000

/** Asks again and again until the answer is accepted, and gives it. */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  accepted: (answer: T) => boolean = Boolean,
): Promise<T> {
  const start = performance.now()
  for (;;) {
    const answer = await ask()
    if (accepted(answer)) return answer
    const waitedMs = performance.now() - start
    if (waitedMs > deadlineMs) throw new Error(`Waited in vain for ${what}: ${JSON.stringify(answer)}`)
    await sleep(waitedMs < patientAfterMs ? 20 : 60)
  }
}
