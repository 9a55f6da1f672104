import { z } from 'zod'
import type { App } from '../../app.ts'
import { readErasedAt } from '../../stages/erasure/erasures.ts'

/** The field of a reply about a user who was erased: why the numbers are zeros. */
export const erasedReply = {
  erased_at: z.iso.datetime().optional().meta({
    description: 'When the user was erased. Then what was theirs counts for an anonymous account.',
  }),
}

/** Reads it; empty for a user who was not erased. */
export async function erasedOf(
  app: Pick<App, 'redis' | 'partitions'>,
  userId: string,
): Promise<{ erased_at?: string }> {
  const at = await readErasedAt(app, userId)
  return at === undefined ? {} : { erased_at: at }
}
