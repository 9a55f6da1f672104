import { z } from 'zod'
import type { Keys } from '../../keys.ts'
import type { RedisClient } from '../../redis/client.ts'
import { archiveFields } from '../../stages/archive/tail.ts'
import { sumBy } from '../../sums.ts'

/** The archive as Redis knows it, over all partitions. */
export interface ArchiveState {
  /** Segments that were written since the chains began, and their bytes. */
  readonly segments: number
  readonly bytes: number
  /** When the last line was committed; null where there is none. */
  readonly lastAt: string | null
  /** Lines that the store does not have yet. */
  readonly unstored: number
  /** Why it cannot be written, and since when; null where it can. */
  readonly failure: ArchiveFailure | null
}

const failure = z.object({ since: z.iso.datetime(), error: z.string() })
export type ArchiveFailure = z.output<typeof failure>

/** Reads it. Values of another form, which another client wrote, count as none. */
export async function readArchiveState(redis: RedisClient, partitions: readonly Keys[]): Promise<ArchiveState> {
  const all = await Promise.all(partitions.map(({ archive }) => redis.hgetall(archive)))
  const known = all.map((fields) => archiveFields.safeParse(fields).data).filter((fields) => fields !== undefined)
  const failures = all.flatMap(({ failure }) => failureIn(failure) ?? [])
  return {
    segments: sumBy(known, ({ segments }) => segments),
    bytes: sumBy(known, ({ bytes }) => bytes),
    lastAt:
      known
        .map(({ at }) => at)
        .sort()
        .at(-1) ?? null,
    unstored: sumBy(known, ({ seq, stored }) => seq - stored),
    failure: failures.sort((one, other) => (one.since < other.since ? -1 : 1))[0] ?? null,
  }
}

function failureIn(text: string | undefined): ArchiveFailure | undefined {
  try {
    return failure.safeParse(JSON.parse(text ?? '')).data
  } catch {
    return undefined
  }
}

/** Says that the archive cannot be written. */
export const failureText = ({ since, error }: ArchiveFailure): string =>
  `The archive cannot be written since ${since}: ${error.replace(/\.$/, '')}.`
