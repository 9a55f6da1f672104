import type { Keys } from '../keys.ts'
import { partitionFor } from '../partitions.ts'
import type { OrderFormat } from './format.ts'
import { identityIn } from './identity.ts'

/** Returns the partition of the user that a body names. With one partition the body is not read. */
export function partitionOf(
  { partitions, format }: { readonly partitions: readonly Keys[]; readonly format: OrderFormat },
  body: string,
): Keys {
  return partitionFor(partitions, partitions.length === 1 ? undefined : identityIn(body, format).userId)
}
