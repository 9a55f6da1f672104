import { z } from 'zod'
import type { ControlKeys } from '../keys.ts'
import type { RedisClient } from '../redis/client.ts'

/*
 * The number of dead letters, for processes that may not ask SQS. A bridge counts them now and then.
 */

const counted = z.object({
  messages: z.int(),
  /** Since when there are some; null if there are none. */
  since: z.iso.datetime().nullable(),
  at: z.iso.datetime(),
})
export type CountedLetters = z.output<typeof counted>

/** An older count says nothing. */
const keptSeconds = 300

/** Reads the last count; undefined if there is none. */
export async function readDeadLetters(
  redis: RedisClient,
  { deadLetters }: ControlKeys,
): Promise<CountedLetters | undefined> {
  const text = await redis.get(deadLetters)
  return text === null ? undefined : counted.parse(JSON.parse(text))
}

/** Notes a count. @param before the last one */
export async function noteDeadLetters(
  redis: RedisClient,
  { deadLetters }: ControlKeys,
  { messages, before, now }: { messages: number; before: CountedLetters | undefined; now: Date },
): Promise<void> {
  const at = now.toISOString()
  const noted: CountedLetters = { messages, since: messages === 0 ? null : (before?.since ?? at), at }
  await redis.set(deadLetters, JSON.stringify(noted), 'EX', keptSeconds)
}
