import { z } from 'zod'
import type { Keys } from '../../keys.ts'
import { envelope, history } from '../../messages.ts'
import type { RedisClient } from '../../redis/client.ts'

/** A rejected record as the JSON of the API, and its partition. Ids are unique across partitions. */
export interface InvalidJson {
  readonly id: string
  readonly json: string
  readonly keys: Keys
}

/** The same, parsed. `text` is the order as sent, byte for byte; undefined if it was not text. */
export interface InvalidEntry extends InvalidJson {
  readonly text: string | undefined
  readonly record: z.output<typeof stored>
}

const stored = z
  .object({
    order: z.record(z.string(), z.unknown()).nullable(),
    raw: z.string().optional(),
    code: z.string(),
    reason: z.string(),
    ts: z.string(),
    stage: z.string().optional(),
    envelope: envelope.optional(),
  })
  .extend(history.partial().shape)

export async function readInvalidEntry(
  redis: RedisClient,
  partitions: readonly Keys[],
  id: string,
): Promise<InvalidEntry | undefined> {
  const found = await Promise.all(partitions.map((keys) => readEntry(redis, keys, id)))
  return found.find((entry) => entry !== undefined)
}

/** Reads an entry of one partition. */
export async function readEntry(redis: RedisClient, keys: Keys, id: string): Promise<InvalidEntry | undefined> {
  const [found] = await redis.xrange(keys.invalid, id, id)
  return found && toEntry(keys, found)
}

/** Reads those of the entries that still exist. */
export async function readEntries(redis: RedisClient, keys: Keys, ids: readonly string[]): Promise<InvalidEntry[]> {
  const entries = await Promise.all(ids.map((id) => readEntry(redis, keys, id)))
  return entries.filter((entry) => entry !== undefined)
}

type Found = [id: string, fields: string[] | null]

/** Does not parse, so that a page is cheap. A record that does not begin as expected is left out: it could break the page. */
export function toJson(keys: Keys, [id, fields]: Found): InvalidJson {
  const record = fields?.[3] ?? ''
  return { keys, id, json: record.startsWith('{"order":') ? `{"id":"${id}",${record.slice(1)}` : `{"id":"${id}"}` }
}

export function toEntry(keys: Keys, found: Found): InvalidEntry {
  const { id, json } = toJson(keys, found)
  const record = recordOf(json)
  return { keys, id, json, record, text: record.raw ?? orderText(found[1]?.[3] ?? '{}') }
}

const recordOf = (json: string): z.output<typeof stored> => stored.parse(JSON.parse(json))

/** Cuts the order out of the record without parsing it: the length of the rest is known to the byte. */
function orderText(json: string): string | undefined {
  const { order, ...rest } = JSON.parse(json)
  if (order === null) return undefined
  return json.slice('{"order":'.length, -JSON.stringify(rest).length)
}
