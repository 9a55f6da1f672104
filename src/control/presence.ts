import { z } from 'zod'
import type { ControlKeys } from '../keys.ts'
import type { RedisClient } from '../redis/client.ts'
import { defineScript } from '../redis/script.ts'

/*
 * Which roles run. A consumer of a stream does not show it: it is created by the first read of its stage, and stays after
 * its process was killed. So each process renews a field per role every second. See living.ts for the reader.
 */

const renew = defineScript(import.meta.url, z.int())

/** Five renewals: a slow Redis does not make a process look dead. As long as a lease (leases.ts). */
export const aliveMs = 5_000
export const renewEveryMs = 1_000

type Scope = { readonly redis: RedisClient; readonly control: ControlKeys; readonly instance: string }

/**
 * Renews the presence of a process.
 * @param roles role → ms since it made progress, undefined if it has made none since the last renewal
 * @param isFirst true until a renewal of this process has succeeded
 */
export async function renewPresence(
  { redis, control, instance }: Scope,
  roles: ReadonlyMap<string, number | undefined>,
  isFirst: boolean,
): Promise<void> {
  const args = [...roles].flatMap(([role, ms]) => [role, ms === undefined ? -1 : Math.round(ms)])
  await renew(redis, [control.presence], [instance, aliveMs, isFirst ? 1 : 0, ...args])
}

/** Ends the presence of a process. */
export async function leavePresence({ redis, control, instance }: Scope, roles: readonly string[]): Promise<void> {
  await redis.hdel(control.presence, ...roles.map((role) => `${role} ${instance}`))
}
