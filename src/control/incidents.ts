import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { incidentsKey } from '../keys.ts'
import type { RedisClient } from '../redis/client.ts'
import { defineScript } from '../redis/script.ts'

const note = defineScript(import.meta.url, z.enum(['noted', 'full', 'known']))

/** `data`: deleted, replaced or restored; `ledger`: it lost records; `clock`: it jumped; `evicted`: Redis evicted keys. */
export const incidentKinds = ['data', 'ledger', 'clock', 'evicted'] as const

/** Something that happened to Redis' data from outside. Reported until an operator acknowledges it. */
const incident = z.object({
  kind: z.enum(incidentKinds),
  /** The affected place: a partition, a generation of the ledger, a server; may be empty. */
  place: z.string(),
  ts: z.iso.datetime(),
  /** Maximum number of orders it concerns, as far as known. */
  orders: z.int(),
  /** Sentences: what happened and what it means. */
  text: z.string(),
})
export type Incident = z.output<typeof incident>
/** One that is not acknowledged. */
export const openIncident = incident.extend({ id: z.string() })
export type OpenIncident = Readonly<z.output<typeof openIncident>>

/** A Redis that is emptied every second must not fill up with incidents. */
const maxIncidents = 200

/** Reads the unacknowledged incidents, oldest first. Ignores fields that another client wrote. */
export async function readIncidents(redis: RedisClient): Promise<OpenIncident[]> {
  return (await readNoted(redis)).open
}

/** The recorded incidents: the open ones, and the ids of all. */
export interface Noted {
  readonly open: readonly OpenIncident[]
  /** With those that were acknowledged a short time ago. */
  readonly ids: readonly string[]
}

export async function readNoted(redis: RedisClient): Promise<Noted & { readonly open: OpenIncident[] }> {
  const fields = await redis.hgetall(incidentsKey)
  const all = Object.entries(fields).flatMap(([id, text]) => {
    const { data } = incident.safeParse(parsed(text))
    return data ? [{ id, ...data }] : []
  })
  const open = all.sort((one, other) => Date.parse(one.ts) - Date.parse(other.ts))
  return { open, ids: Object.keys(fields) }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * Records an incident, unless another process has recorded it.
 * @param before ids of the incidents known before it happened; any other of the same kind and place is this one
 * @returns true if this process must report it
 */
export async function noteIncident(redis: RedisClient, noticed: Incident, before: readonly string[]): Promise<boolean> {
  const args = [randomUUID(), JSON.stringify(noticed), maxIncidents, ...before]
  return (await note(redis, [incidentsKey], args)) !== 'known'
}

/** Restores incidents that were deleted with the data of Redis. */
export async function keepIncidents(redis: RedisClient, incidents: readonly OpenIncident[]): Promise<void> {
  await Promise.all(incidents.map(({ id, ...text }) => redis.hsetnx(incidentsKey, id, JSON.stringify(text))))
}

/** Takes the place of an incident that was acknowledged. */
const acknowledgedIncident = z.object({ kind: z.enum(incidentKinds), place: z.string(), acknowledged: z.int() })

/** Ten minutes: a process notices an incident within seconds, or once it is resumed. */
const noticedWithinMs = 600_000

/**
 * Acknowledges incidents. Their ids are kept for ten minutes, since another process may notice one of them only now.
 * Losses of the ledger are accepted by themselves, so the next one is another.
 */
export async function acknowledgeIncidents(redis: RedisClient, incidents: readonly OpenIncident[]): Promise<void> {
  const now = Date.now()
  for (const { id, kind, place } of incidents) {
    const acknowledged = JSON.stringify({ kind, place, acknowledged: now })
    if (kind === 'ledger') await redis.hdel(incidentsKey, id)
    else await redis.hset(incidentsKey, id, acknowledged).catch(() => redis.hdel(incidentsKey, id)) // a full Redis only deletes
  }
  const all = Object.entries(await redis.hgetall(incidentsKey))
  const old = all.filter(([, text]) => {
    const { data } = acknowledgedIncident.safeParse(parsed(text))
    return data && data.acknowledged < now - noticedWithinMs
  })
  if (old.length > 0) await redis.hdel(incidentsKey, ...old.map(([id]) => id))
}
