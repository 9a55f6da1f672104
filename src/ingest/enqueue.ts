import type { Keys } from '../keys.ts'
import type { RawRecord } from '../messages.ts'
import type { RedisClient } from '../redis.ts'
import { loadScript, runScript } from '../script.ts'

const script = loadScript(import.meta.url)

/** Puts raw records on `orders:raw` as one entry, in one write. Sent twice, its orders are duplicates to the ledger. */
export async function enqueue(redis: RedisClient, keys: Keys, records: readonly RawRecord[]): Promise<string> {
  const names = [keys.stream.raw, keys.counters]
  return String(await runScript(redis, script, names, [records.length, JSON.stringify(records)]))
}
