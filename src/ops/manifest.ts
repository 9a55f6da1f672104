import { setInterval as every } from 'node:timers/promises'
import { z } from 'zod'
import type { App } from '../app.ts'
import type { Config } from '../config.ts'
import { OrdersError } from '../errors.ts'
import { manifestKey } from '../keys.ts'
import type { RedisClient } from '../redis/client.ts'
import { safeUrl } from '../redis/endpoint.ts'
import { noticePython } from './adopt/python.ts'
import type { Loop } from './process/supervise.ts'

/** On a cluster the keys of a script must share a slot: even one partition has a tag there. */
export const partitionsOf = ({ partitions, redisCluster }: Config): number | undefined =>
  partitions ?? (redisCluster ? 1 : undefined)

/** What the manifest says of partitions where names are bare. */
export const bare = 'none'

type Manifest = Readonly<Record<string, string>>

const fixedSettings = (config: Config) => ({
  LEDGER_DAYS: config.ledgerDays,
  LEDGER_BUCKETS: config.ledgerBuckets,
  PARTITIONS: partitionsOf(config) ?? bare,
})

/**
 * The ledger would forget what it has if a process looked elsewhere for it: the first process to start decides. Only what
 * is missing is written: a full Redis takes no writes, and it is the stages that make room.
 * @throws OrdersError ORD_MANIFEST where this process has other settings, orders are being moved, or the Python system has
 * filled this Redis.
 */
export async function checkManifest(redis: RedisClient, config: Config): Promise<void> {
  const manifest = await redis.hgetall(manifestKey)
  await requireAdopted(redis, config, manifest)
  await writeMissing(redis, config, manifest)
  const [conflict] = await manifestConflicts(redis, config)
  if (conflict) throw new OrdersError('ORD_MANIFEST', conflict)
  const repartition = repartitionIn(manifest)
  if (repartition && !['drain', 'resume'].includes(repartition.phase)) {
    const told = `Redis at ${safeUrl(config)} is being repartitioned to ${repartition.to}`
    throw new OrdersError('ORD_MANIFEST', `${told}: let orders repartition --to ${repartition.to} end first.`)
  }
}

/**
 * New orders would be counted into half a state where users have the totals of the Python system. With partitions, whose
 * keys are others, it is looked for until Redis is set up: a user of Redis may be kept from those names.
 * @throws OrdersError ORD_MANIFEST where it is there, or is being converted
 */
export async function requireAdopted(redis: RedisClient, config: Config, manifest?: Manifest): Promise<void> {
  const settings = manifest ?? (await redis.hgetall(manifestKey))
  if (adoptionField in settings) throw new OrdersError('ORD_MANIFEST', adoptionText(config))
  if (partitionsOf(config) !== undefined && 'PARTITIONS' in settings) return
  const found = await noticePython(redis)
  if (found === undefined) return
  const told = `Redis at ${safeUrl(config)} was filled by the Python system (${found})`
  throw new OrdersError('ORD_MANIFEST', `${told}: stop that system and run orders adopt first.`)
}

const adoptionText = (config: Config): string =>
  `Redis at ${safeUrl(config)} is being adopted from the Python system: let orders adopt --yes end first, or run it again.`

/** @returns the settings that were missing and that this process has written */
async function writeMissing(redis: RedisClient, config: Config, manifest: Manifest): Promise<string[]> {
  const missing = Object.entries(fixedSettings(config)).filter(([name]) => !(name in manifest))
  const written = missing.map(async ([name, value]) =>
    (await redis.hsetnx(manifestKey, name, value)) === 1 ? [`${name}=${value}`] : [],
  )
  return (await Promise.all(written)).flat()
}

/** Where Redis was set up with other settings than this process has, a sentence each; none before it is set up. */
export async function manifestConflicts(redis: RedisClient, config: Config): Promise<string[]> {
  const manifest = await redis.hgetall(manifestKey)
  return Object.entries(fixedSettings(config)).flatMap(([name, value]) => {
    const fixed = manifest[name] ?? String(value)
    const told = `Redis at ${safeUrl(config)} was set up with ${name}=${fixed}, this process has ${value}`
    const advice = fixed === bare ? `unset ${name}` : `set ${name}=${fixed}`
    return fixed === String(value) ? [] : `${told}: ${advice}.`
  })
}

const lookEveryMs = 1_000
const advice = 'Redis had lost the settings that it was set up with: see orders verify, and who deletes keys there.'

/**
 * Ends the process once Redis has other settings: after a repartition it would work on keys that are nobody's any more.
 * Settings that were deleted are written again: else the next process to start would decide, with other ones.
 */
export function manifestLoop({ redis, config, telemetry }: App): Loop {
  return {
    name: 'manifest',
    run: async (tick, signal) => {
      for await (const _ of every(lookEveryMs, undefined, { signal })) {
        const [conflict] = await manifestConflicts(redis, config)
        if (conflict) throw new OrdersError('ORD_MANIFEST', conflict)
        const manifest = await redis.hgetall(manifestKey)
        if (adoptionField in manifest) throw new OrdersError('ORD_MANIFEST', adoptionText(config))
        const settings = await writeMissing(redis, config, manifest).catch(() => []) // a full Redis takes none
        if (settings.length > 0) telemetry.emit('manifestRestored', { settings: settings.join(', '), advice })
        tick()
      }
    },
  }
}

/** Says since when this Redis is being adopted. */
const adoptionField = 'ADOPTION'

/** Sets Redis up with the settings of this process, and keeps all others from it until the adoption has ended. */
export async function beginAdoption({ redis, config, now }: App): Promise<void> {
  await writeMissing(redis, config, await redis.hgetall(manifestKey))
  await redis.hsetnx(manifestKey, adoptionField, now().toISOString())
}

export async function isAdopting(redis: RedisClient): Promise<boolean> {
  return adoptionField in (await redis.hgetall(manifestKey))
}

export async function endAdoption(redis: RedisClient): Promise<void> {
  await redis.hdel(manifestKey, adoptionField)
}

/** A repartition under way, as far as it has come. `drain`: nothing is moved yet; `resume`: all is, and in force. */
const repartition = z.object({
  id: z.string(),
  from: z.union([z.literal(bare), z.int()]),
  to: z.int(),
  phase: z.enum(['drain', 'move', 'swap', 'count', 'verify', 'resume']),
  /** The queues of jobs that it has paused. */
  queues: z.array(z.string()),
  /** Counters of all partitions together, and how many rejected and discarded orders there were, when nothing had moved. */
  totals: z.record(z.string(), z.int()).optional(),
  /** How many lines of the ledger were written in each generation, of all partitions together. */
  remembered: z.record(z.string(), z.int()).optional(),
  invalid: z.int().optional(),
  discarded: z.int().optional(),
})
export type Repartition = z.output<typeof repartition>

const repartitionField = 'REPARTITION'

export async function readRepartition(redis: RedisClient): Promise<Repartition | undefined> {
  return repartitionIn(await redis.hgetall(manifestKey))
}

function repartitionIn(manifest: Manifest): Repartition | undefined {
  const text = manifest[repartitionField]
  return text === undefined ? undefined : repartition.parse(JSON.parse(text))
}

export async function writeRepartition(redis: RedisClient, state: Repartition): Promise<void> {
  await redis.hset(manifestKey, repartitionField, JSON.stringify(state))
}

/** Whether it was undone or has ended. */
export async function forgetRepartition(redis: RedisClient): Promise<void> {
  await redis.hdel(manifestKey, repartitionField)
}

/** From now on there are so many partitions, in one write. */
export async function switchOver(redis: RedisClient, state: Repartition): Promise<void> {
  const resuming: Repartition = { ...state, phase: 'resume' }
  await redis.hset(manifestKey, { PARTITIONS: state.to, [repartitionField]: JSON.stringify(resuming) })
}

/** How many partitions Redis has; undefined before it is set up. */
export async function layoutOf(redis: RedisClient): Promise<number | typeof bare | undefined> {
  const found = await redis.hget(manifestKey, 'PARTITIONS')
  if (found === null) return undefined
  return found === bare ? bare : Number(found)
}
