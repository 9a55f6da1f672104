import { z } from 'zod'
import type { Config } from '../../config/config.ts'
import { OrdersError } from '../../errors.ts'
import { manifestKey } from '../../keys.ts'
import type { RedisClient } from '../../redis/client.ts'
import { safeUrl } from '../../redis/endpoint.ts'
import { bare, type Manifest, readManifest } from './settings.ts'

/** The state of a running repartition. `drain`: nothing is moved yet. `resume`: everything is, and the new number applies. */
const repartition = z.object({
  id: z.string(),
  from: z.union([z.literal(bare), z.int()]),
  to: z.int(),
  phase: z.enum(['drain', 'move', 'swap', 'count', 'verify', 'resume']),
  /** The job queues that it has paused. */
  queues: z.array(z.string()),
  /** Counters summed over all partitions, and below the numbers of invalid and discarded orders, before the move. */
  totals: z.record(z.string(), z.int()).optional(),
  /** Records of the ledger written in each generation, over all partitions. */
  ledgerCounts: z.record(z.string(), z.int()).optional(),
  /** By stage, the first entry that it was given where orders had passed before. */
  missedBefore: z.record(z.string(), z.string()).optional(),
  /** Days of the calendar, over all partitions. */
  days: z.record(z.string(), z.record(z.string(), z.string())).optional(),
  /** The books of the calendar, over all partitions. */
  calendar: z.record(z.string(), z.string()).optional(),
  invalid: z.int().optional(),
  discarded: z.int().optional(),
})
export type Repartition = z.output<typeof repartition>

const repartitionField = 'REPARTITION'

export async function readRepartition(redis: RedisClient): Promise<Repartition | undefined> {
  return repartitionIn(await readManifest(redis))
}

function repartitionIn(manifest: Manifest): Repartition | undefined {
  const text = manifest[repartitionField]
  return text === undefined ? undefined : repartition.parse(JSON.parse(text))
}

/** @throws OrdersError ORD_MANIFEST while a repartition is moving orders */
export function requireNotMoving(manifest: Manifest, config: Config): void {
  const repartition = repartitionIn(manifest)
  if (!repartition || ['drain', 'resume'].includes(repartition.phase)) return
  const found = `Redis at ${safeUrl(config)} is being repartitioned to ${repartition.to}`
  throw new OrdersError('ORD_MANIFEST', `${found}: let orders repartition --to ${repartition.to} end first.`)
}

export async function writeRepartition(redis: RedisClient, state: Repartition): Promise<void> {
  await redis.hset(manifestKey, repartitionField, JSON.stringify(state))
}

/** Removes the state of a repartition that has ended or was undone. */
export async function forgetRepartition(redis: RedisClient): Promise<void> {
  await redis.hdel(manifestKey, repartitionField)
}

/** Puts the new number of partitions into effect, in one write. */
export async function switchOver(redis: RedisClient, state: Repartition): Promise<void> {
  const resuming: Repartition = { ...state, phase: 'resume' }
  await redis.hset(manifestKey, { PARTITIONS: state.to, [repartitionField]: JSON.stringify(resuming) })
}
