import { timeMs } from './stream-id.ts'

/** How far the clock of a server is ahead of this machine's, and how far that may be off. */
export interface ClockOffset {
  readonly ms: number
  readonly uncertainMs: number
}

/** Compares a clock that was read at some moment between two of this machine's. */
export const offsetOf = (readMs: number, fromMs: number, untilMs: number): ClockOffset => ({
  ms: readMs - (fromMs + untilMs) / 2,
  uncertainMs: (untilMs - fromMs) / 2,
})

/** A `Date` header has whole seconds: on average so much of a second is cut off. */
const cutOffMs = 500

/** Compares by the `Date` header of a reply; undefined if there is none. */
export function offsetByDate(date: string | undefined, fromMs: number, untilMs: number): ClockOffset | undefined {
  const readMs = Date.parse(date ?? '')
  if (Number.isNaN(readMs)) return undefined
  const { ms, uncertainMs } = offsetOf(readMs + cutOffMs, fromMs, untilMs)
  return { ms, uncertainMs: uncertainMs + cutOffMs }
}

/** Compares Redis' clock with this machine's. */
export async function redisOffset(
  redis: { time(): Promise<readonly (string | number)[]> },
  now: () => Date,
): Promise<ClockOffset> {
  const from = now().getTime()
  const readMs = timeMs(await redis.time())
  return offsetOf(readMs, from, now().getTime())
}
