import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { OrdersError } from '../errors.ts'
import { incidentsKey } from '../keys.ts'
import type { RedisClient } from '../redis/client.ts'
import { loadScript, runScript } from '../redis/script.ts'

const script = loadScript(import.meta.url)

/** `data`: deleted, replaced or put back; `ledger`: lines of it are gone; `clock`: it jumped; `evicted`: Redis threw keys away. */
export const incidentKinds = ['data', 'ledger', 'clock', 'evicted'] as const

/** Something that happened to Redis' data from outside. It is said until an operator acknowledges it. */
const incident = z.object({
  kind: z.enum(incidentKinds),
  /** What it concerns: a partition, a generation of the ledger, a server; may be empty. */
  place: z.string(),
  ts: z.iso.datetime(),
  /** How many orders it concerns at most, as far as that is known. */
  orders: z.int(),
  /** What happened and what it means, in sentences. */
  text: z.string(),
})
export type Incident = z.output<typeof incident>
export type OpenIncident = Incident & { readonly id: string }

/** A Redis that is emptied every second does not fill itself with what it says of that. */
const mostIncidents = 200

/** The incidents that nobody has acknowledged, oldest first. What somebody else wrote there is left out. */
export async function readIncidents(redis: RedisClient): Promise<OpenIncident[]> {
  const fields = await redis.hgetall(incidentsKey)
  const all = Object.entries(fields).flatMap(([id, text]) => {
    const { data } = incident.safeParse(parsed(text))
    return data ? [{ id, ...data }] : []
  })
  return all.sort((one, other) => Date.parse(one.ts) - Date.parse(other.ts))
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * Notes what this process has noticed, unless another one has noted it since.
 * @param before ids of the incidents there were before it happened; one of the same kind and place beside them is the same
 * @returns whether this process is the one to say so
 */
export async function noteIncident(redis: RedisClient, noticed: Incident, before: readonly string[]): Promise<boolean> {
  const args = [randomUUID(), JSON.stringify(noticed), mostIncidents, ...before]
  const reply = await runScript(redis, script, [incidentsKey], args)
  if (reply === 'noted' || reply === 'full') return true
  if (reply === 'known') return false
  throw new OrdersError('ORD_REDIS_REPLY', 'Redis replied to incidents.lua in an unknown shape.')
}

/** Writes incidents again that went with the data of Redis. */
export async function keepIncidents(redis: RedisClient, incidents: readonly OpenIncident[]): Promise<void> {
  await Promise.all(incidents.map(({ id, ...text }) => redis.hsetnx(incidentsKey, id, JSON.stringify(text))))
}

export async function forgetIncidents(redis: RedisClient, incidents: readonly OpenIncident[]): Promise<void> {
  if (incidents.length > 0) await redis.hdel(incidentsKey, ...incidents.map(({ id }) => id))
}
