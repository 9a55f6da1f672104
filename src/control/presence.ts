import { z } from 'zod'
import type { ControlKeys } from '../keys.ts'
import type { RedisClient } from '../redis/client.ts'
import { defineScript } from '../redis/script.ts'

/*
 * Which roles run. A consumer of a stream does not show it: it is created by the first read of its stage, and stays after
 * its process was killed. So each process renews a line per role every second.
 */

const renew = defineScript(import.meta.url, z.int())

/** Five renewals: a slow Redis does not make a process look dead. As long as a lease (leases.ts). */
const aliveMs = 5_000
export const renewEveryMs = 1_000

type Scope = { readonly redis: RedisClient; readonly control: ControlKeys; readonly instance: string }

/** @param roles role → ms since it made progress; none when the process leaves */
export async function renewPresence(
  { redis, control, instance }: Scope,
  roles: ReadonlyMap<string, number>,
): Promise<void> {
  const args = [...roles].flatMap(([role, ms]) => [role, Math.round(ms)])
  await renew(redis, [control.presence], [instance, aliveMs, ...args])
}

/** The living processes of one role. */
export interface Presence {
  readonly processes: number
  /** When the last of them made progress, in ms by Redis' clock. */
  readonly progressMs: number
}

/** Reads the roles that run; one without a process is absent. */
export async function readPresence(
  redis: RedisClient,
  control: ControlKeys,
): Promise<(atMs: number) => ReadonlyMap<string, Presence>> {
  const text = (await redis.get(control.presence)) ?? ''
  const lines = text.split('\n').map((line) => line.split(' '))
  return (atMs) => {
    const roles = new Map<string, Presence>()
    for (const [role = '', , ends, progress] of lines) {
      if (!(Number(ends) > atMs)) continue
      const { processes, progressMs } = roles.get(role) ?? { processes: 0, progressMs: 0 }
      roles.set(role, { processes: processes + 1, progressMs: Math.max(progressMs, Number(progress)) })
    }
    return roles
  }
}
