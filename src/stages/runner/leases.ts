import { z } from 'zod'
import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { loadScript, runScript } from '../../redis/script.ts'
import type { Stage } from '../stage.ts'

const script = loadScript(import.meta.url)

/** Partition → token; the token is another one when the partition was in other hands in between. */
export type Leases = ReadonlyMap<number, number>

/** Renewed every second: a process that is killed is missed for so long at most. */
export const leaseMs = 5_000
export const renewEveryMs = 1_000

const reply = z.array(z.int())

/**
 * Renews this process' leases on the partitions of a stage, and takes those it is to have beside. Leases only spare
 * double work: should two processes work one partition, the commit script lets each entry through once.
 */
export async function renewLeases(app: App, stage: Stage): Promise<Leases> {
  return lease(app, stage, false)
}

/** Gives all of them back. */
export async function leaveLeases(app: App, stage: Stage): Promise<void> {
  await lease(app, stage, true)
}

async function lease({ redis, control, partitions, instance }: App, { name }: Stage, leaves: boolean): Promise<Leases> {
  const names = [control.members(name), control.leases(name)]
  const args = [instance, leaseMs, partitions.length, leaves ? 1 : 0]
  const parsed = reply.safeParse(await runScript(redis, script, names, args))
  if (!parsed.success) throw new OrdersError('ORD_REDIS_REPLY', 'Redis replied to leases.lua in an unknown shape.')
  const held = parsed.data
  return new Map(held.flatMap((partition, at) => (at % 2 === 0 ? [[partition, held[at + 1] ?? 0]] : [])))
}
