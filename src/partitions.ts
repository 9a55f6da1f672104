import { crc32 } from 'node:zlib'
import type { Keys } from './keys.ts'

/**
 * A user's hash, from 0 to 262,143: the low 18 bits of the CRC-32 (as zlib and PNG have it) of the user id in UTF-8. All
 * of a user is in the partition `hash mod n`. Whoever writes to the streams in another language does the same.
 */
export const userHash = (userId: string): number => crc32(userId) & (2 ** userHashBits - 1)

/** The ledger keeps them of every line (three characters of base64), so that it can be moved to other partitions. */
export const userHashBits = 18

/** Ids of the invalid channel have room for so many. */
export const mostPartitions = 256

/** @param userId undefined where nobody can tell: such are in the first partition. */
export function partitionFor(partitions: readonly Keys[], userId: string | undefined): Keys {
  const at = userId === undefined ? 0 : userHash(userId) % partitions.length
  return partitions[at] as Keys
}
