import { z } from 'zod'
import type { Keys } from '../../keys.ts'
import type { RedisClient } from '../../redis/client.ts'
import { defineScript } from '../../redis/script.ts'
import { groupOf, type RejectGroup, type Rejection, rejectGroupNames } from '../../reject-codes.ts'

const appendEntries = defineScript(import.meta.url, z.int())

/** An entry of the invalid channel or of the discarded orders: id, then alternating names and values. */
export type StreamEntry = readonly [id: string, fields: readonly string[]]

/** Appends entries with their ids to an invalid channel. An entry that is sent again is appended once (see copy-invalid.lua). */
export async function copyInvalid(redis: RedisClient, keys: Keys, entries: readonly StreamEntry[]): Promise<void> {
  const names = [keys.invalid, keys.invalidOrders, ...rejectGroupNames.map(keys.invalidGroup)]
  const args = entries.flatMap(([id, fields]) => {
    const group = groupIn(fields)
    const number = group === undefined ? 0 : rejectGroupNames.indexOf(group) + 3
    return [id, number, recordIn(fields), fields.length, ...fields]
  })
  await appendEntries(redis, names, args)
}

/** Returns the value of the first field with the name `record`; empty if there is none. */
export const recordIn = (fields: readonly string[]): string =>
  fields.find((_, at) => at % 2 === 1 && fields[at - 1] === 'record') ?? ''

function groupIn(fields: readonly string[]): RejectGroup | undefined {
  try {
    return groupOf(JSON.parse(recordIn(fields)) as Rejection)
  } catch {
    return undefined
  }
}
