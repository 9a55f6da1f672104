import { crc32 } from 'node:zlib'
import type { Keys } from './keys.ts'

/**
 * Returns a user's hash, from 0 to 262,143: the low 18 bits of the CRC-32 (as in zlib and PNG) of the user id in UTF-8. All
 * data of a user is in the partition `hash mod n`. A producer in another language that writes to the streams must do the same.
 */
export const userHash = (userId: string): number => crc32(userId) & (2 ** userHashBits - 1)

/** Every record of the ledger holds them as three characters of base64, so that it can be moved to another partition. */
export const userHashBits = 18

/** Limited by the ids of the invalid channel. */
export const maxPartitions = 256

/** Returns the number of the partition that a user has, if it is not that of the keys. */
export function otherPartition(userId: string, { partition, layout }: Keys): number | undefined {
  const own = partition === undefined ? undefined : userHash(userId) % Number(layout)
  return own === partition ? undefined : own
}

/** @param userId undefined if unknown: such orders are in the first partition */
export function partitionFor(partitions: readonly Keys[], userId: string | undefined): Keys {
  const at = userId === undefined ? 0 : userHash(userId) % partitions.length
  return partitions[at] as Keys
}
