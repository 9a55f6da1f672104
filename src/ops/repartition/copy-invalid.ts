import type { Keys } from '../../keys.ts'
import { groupOf, type RejectGroup, type Rejection, rejectGroupNames } from '../../messages.ts'
import type { RedisClient } from '../../redis/client.ts'
import { loadScript, runScript } from '../../redis/script.ts'

const script = loadScript(import.meta.url)

/** An entry of the invalid channel or of the discarded orders: id, names and values in turn. */
export type StreamEntry = readonly [id: string, fields: readonly string[]]

/** Appends entries with their ids to an invalid channel, each once however often it is sent (see append.lua). */
export async function appendInvalid(redis: RedisClient, keys: Keys, entries: readonly StreamEntry[]): Promise<void> {
  const names = [keys.invalid, keys.invalidOrders, ...rejectGroupNames.map(keys.invalidGroup)]
  const args = entries.flatMap(([id, fields]) => {
    const group = groupIn(fields)
    const number = group === undefined ? 0 : rejectGroupNames.indexOf(group) + 3
    return [id, number, recordIn(fields), fields.length, ...fields]
  })
  await runScript(redis, script, names, args)
}

export const recordIn = (fields: readonly string[]): string => fields[fields.indexOf('record') + 1] ?? ''

function groupIn(fields: readonly string[]): RejectGroup | undefined {
  try {
    return groupOf(JSON.parse(recordIn(fields)) as Rejection)
  } catch {
    return undefined
  }
}
