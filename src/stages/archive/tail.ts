import { z } from 'zod'
import type { PartitionScope } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { defineScript } from '../../redis/script.ts'
import { parseLine } from './manifest.ts'

/** The end of the chain of a partition, as Redis knows it. */
export interface Tail {
  readonly chain: string
  readonly partition: string
  /** Of the last line, and the SHA-256 of its text. */
  readonly seq: number
  readonly head: string
  /** Up to there the store has the lines. */
  readonly stored: number
  /** The last lines, by number; all after `stored`. */
  readonly lines: ReadonlyMap<number, string>
  /** Why the archive could not be written since when, as long as it cannot. */
  readonly failure: string | undefined
}

/** A field that stands alone: the archive has left, and may begin again in another place. */
export const leftField = 'left'

/** The fields of the hash. */
export const archiveFields = z.object({
  chain: z.string(),
  partition: z.string(),
  seq: z.coerce.number().int(),
  head: z.string(),
  stored: z.coerce.number().int().default(0),
  failure: z.string().optional(),
  at: z.string(),
  segments: z.coerce.number().int().default(0),
  bytes: z.coerce.number().int().default(0),
})
const read = defineScript(import.meta.url, z.tuple([z.array(z.string()), z.array(z.string())]))

type Scope = Pick<PartitionScope, 'redis' | 'keys'>

/** Reads the end of the chain of a partition. Undefined if it has none. */
export async function readTail({ redis, keys }: Scope): Promise<Tail | undefined> {
  const [flat, texts] = await read(redis, [keys.archive, keys.archiveLines], [])
  const found: Record<string, string> = {}
  for (let at = 0; at + 1 < flat.length; at += 2) found[flat[at] ?? ''] = flat[at + 1] ?? ''
  if (!('chain' in found)) return undefined
  const parsed = archiveFields.safeParse(found)
  if (!parsed.success)
    throw new OrdersError('ORD_ARCHIVE', `The key ${keys.archive} holds no chain of the archive.`, {
      cause: parsed.error,
    })
  const lines = new Map(texts.map((text) => [parseLine(text, `An entry of ${keys.archiveLines}`).seq, text]))
  const { chain, partition, seq, head, stored, failure } = parsed.data
  return { chain, partition, seq, head, stored, failure, lines }
}
