import { z } from 'zod'
import type { Status } from '../../reads/status.ts'

/** Shows how much the archive has written. */
export const archiveView = z
  .object({
    segments: z.int().meta({ description: 'Segments that were written since the archive began.' }),
    bytes: z.int().meta({ description: 'Their size, compressed.' }),
    last_at: z.iso.datetime().nullable().meta({ description: 'When the last one was written; null if there is none.' }),
  })
  .meta({ description: 'The archive; absent if there is none, or it cannot be read.' })

export function archiveOf({ archive }: Pick<Status, 'archive'>): z.output<typeof archiveView> | undefined {
  if (archive === null) return undefined
  const { segments, bytes, lastAt } = archive
  return { segments, bytes, last_at: lastAt }
}
