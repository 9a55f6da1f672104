import type { Keys } from '../keys.ts'
import { outcomeSeconds, type RawRecord } from '../messages.ts'
import type { RedisClient } from '../redis.ts'
import { loadScript, runScript } from '../script.ts'

const script = loadScript(import.meta.url)

/** Puts raw records on `orders:raw` as one entry, in one write. Sent twice, its orders are duplicates to the ledger. */
export async function enqueue(redis: RedisClient, keys: Keys, records: readonly RawRecord[]): Promise<string> {
  const names = [keys.stream.raw, keys.counters]
  return String(await runScript(redis, script, names, [records.length, JSON.stringify(records)]))
}

/** Puts a job's one order on `orders:raw`, once however often the job is tried. The verdict goes to the ticket's outcome. */
export async function enqueueOnce(redis: RedisClient, keys: Keys, ticket: string, body: string): Promise<void> {
  const record: RawRecord = { id: ticket, body, ticket }
  const names = [keys.stream.raw, keys.counters, keys.outcome(ticket)]
  await runScript(redis, script, names, [1, JSON.stringify([record]), outcomeSeconds])
}
