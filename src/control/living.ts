import { z } from 'zod'
import type { ControlKeys } from '../keys.ts'
import type { RedisClient } from '../redis/client.ts'
import { defineScript } from '../redis/script.ts'
import { aliveMs } from './presence.ts'

const read = defineScript(import.meta.url, z.tuple([z.int(), z.array(z.string())]))

/** A role as its processes show it. */
export interface Living {
  /** Null after an outage, until all processes have had the time to renew their presence. */
  readonly processes: number | null
  /** Time since one of them made progress, this or an earlier process; null if that is not known. */
  readonly idleMs: number | null
}

/** Reads the roles that run. @returns a function that finds one */
export async function readLiving(redis: RedisClient, control: ControlKeys): Promise<(role: string) => Living> {
  const [now, fields] = await read(redis, [control.presence], [])
  const found = new Map<string, number>()
  for (let at = 0; at < fields.length; at += 2) found.set(fields[at] ?? '', Number(fields[at + 1]))
  const processes = new Map<string, number>()
  for (const [field, ends] of found) {
    const [role = '', instance] = field.split(' ')
    if (instance !== undefined && ends > now) processes.set(role, (processes.get(role) ?? 0) + 1)
  }
  if (now - (found.get('-') ?? Number.NEGATIVE_INFINITY) < aliveMs) return () => ({ processes: null, idleMs: null })
  return (role) => {
    const progress = found.get(role)
    const idleMs = progress === undefined ? null : Math.max(0, now - progress)
    return { processes: processes.get(role) ?? 0, idleMs }
  }
}
