import { z } from 'zod'
import type { PartitionScope } from '../../app.ts'
import { defineScript } from '../../redis/script.ts'

const run = defineScript(import.meta.url, z.int())

/** An entry may have 1 MB. */
const maxExpired = 50

/** Removes some of the discarded orders that are older than an id. Returns how many: as many as `maxExpired` if more follow. */
export const expireSome = ({ redis, keys }: Pick<PartitionScope, 'redis' | 'keys'>, before: string): Promise<number> =>
  run(redis, [keys.discarded, keys.counters, keys.layoutKey], [keys.layout, before, maxExpired])

/** Removes all discarded orders that are older than an id. Returns how many. */
export async function expireDiscarded(
  scope: Pick<PartitionScope, 'redis' | 'keys'>,
  before: string,
  tick: () => void,
): Promise<number> {
  let expired = 0
  for (let some = maxExpired; some === maxExpired; tick()) {
    some = await expireSome(scope, before)
    expired += some
  }
  return expired
}
