import { z } from 'zod'
import type { App } from '../../app.ts'
import { defineScript } from '../../redis/script.ts'
import type { Stage } from '../placed.ts'

const changeLeases = defineScript(import.meta.url, z.array(z.int()))

/** Partition → token. The token changes if another process held the partition in between. */
export type Leases = ReadonlyMap<number, number>

/** Ms that a lease lives without renewal: the partitions of a killed process wait this long at most. */
export const leaseMs = 5_000
export const renewEveryMs = 1_000

/**
 * Renews this process' leases on the partitions of a stage, and takes free ones up to its share. Leases only avoid double
 * work: if two processes run one partition, the commit script still commits each entry once.
 */
export async function renewLeases(app: App, stage: Stage): Promise<Leases> {
  return lease(app, stage, false)
}

/** Releases all leases of this process. */
export async function leaveLeases(app: App, stage: Stage): Promise<void> {
  await lease(app, stage, true)
}

async function lease({ redis, control, partitions, instance }: App, { name }: Stage, leaves: boolean): Promise<Leases> {
  const names = [control.members(name), control.leases(name)]
  const args = [instance, leaseMs, partitions.length, leaves ? 1 : 0]
  const held = await changeLeases(redis, names, args)
  return new Map(held.flatMap((partition, at) => (at % 2 === 0 ? [[partition, held[at + 1] ?? 0]] : [])))
}
