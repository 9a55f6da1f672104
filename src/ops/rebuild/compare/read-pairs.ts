import { z } from 'zod'
import type { Keys } from '../../../keys.ts'
import { exactInteger } from '../../../order/money.ts'
import type { RedisClient } from '../../../redis/client.ts'
import { defineScript } from '../../../redis/script.ts'
import type { Stage } from '../../../stages/placed.ts'
import type { FoundHash } from '../../reconcile/difference.ts'

const flat = z.array(z.string())
const found = z.union([flat, z.string(), z.int()])
const read = defineScript(
  import.meta.url,
  z.tuple([z.string(), z.coerce.number().int(), z.array(flat), z.array(found), flat, z.array(z.string().nullable())]),
)

/** Hashes and their shadows at one moment. */
export interface Pairs {
  /** The open chain of the archive, and its last line then; '' and 0 before it has one. */
  readonly chain: string
  readonly seq: number
  /** Entries that a stage had and the archive had not then, or the other way around. One may be named twice. */
  readonly lone: readonly { readonly stage: Stage; readonly ids: readonly string[]; readonly times: 1 | -1 }[]
  /** By stage, how many orders it has rejected that were not replayed. */
  readonly rejected: ReadonlyMap<string, number>
  /** The fields of the progress of the rebuild. */
  readonly progress: ReadonlyMap<string, string>
  readonly pairs: readonly { readonly name: string; readonly live: FoundHash; readonly shadow: FoundHash }[]
}

/** The stage whose committed entries are compared with those of the stages. */
export const archiveStage = 'archive'

/** An entry that brings back to a stage what it had rejected. */
export interface Returned {
  readonly stage: Stage
  readonly id: string
}

/** @param names of hashes and their shadows */
export async function readPairs(
  redis: RedisClient,
  keys: Keys,
  stages: readonly Stage[],
  names: readonly (readonly [live: string, shadow: string])[],
  returned: readonly Returned[] = [],
): Promise<Pairs> {
  const committed = [archiveStage, ...stages.map(({ name }) => name)].map(keys.committed)
  const own = [keys.archive, keys.rebuildProgress, keys.counters, ...committed, ...names.flat()]
  const entries = returned.flatMap(({ stage, id }) => [stages.indexOf(stage) + 1, id])
  const counters = stages.map((stage) => stage.counters.rejected)
  const reply = await read(redis, own, [stages.length, ...counters, ...entries])
  const [chain, seq, ids, values, progress, rejected] = reply
  const at = (index: number): FoundHash => {
    const [fields, ttl] = [values[2 * index], Number(values[2 * index + 1])]
    return { fields: Array.isArray(fields) ? pairsOf(fields) : undefined, ttl: ttl < 0 ? undefined : ttl }
  }
  return {
    chain,
    seq,
    lone: stages.flatMap((stage, n) => [
      { stage, ids: ids[2 * n] ?? [], times: 1 as const },
      { stage, ids: ids[2 * n + 1] ?? [], times: -1 as const },
    ]),
    progress: pairsOf(progress),
    rejected: new Map(stages.map(({ name }, n) => [name, Number(exactInteger(rejected[n]) ?? 0n)])),
    pairs: names.map(([name], n) => ({ name, live: at(2 * n), shadow: at(2 * n + 1) })),
  }
}

function pairsOf(flat: readonly string[]): Map<string, string> {
  const fields = new Map<string, string>()
  for (let at = 0; at + 1 < flat.length; at += 2) fields.set(flat[at] ?? '', flat[at + 1] ?? '')
  return fields
}
