import type { App } from '../../app.ts'
import type { Config } from '../../config/config.ts'
import { OrdersError } from '../../errors.ts'
import { manifestKey } from '../../keys.ts'
import type { RedisClient } from '../../redis/client.ts'
import { safeUrl } from '../../redis/endpoint.ts'
import { noticePython } from '../adopt/python.ts'
import { type Manifest, partitionsOf, readManifest, writeMissing } from './settings.ts'

/** Holds the time at which the adoption of this Redis began. */
const adoptionField = 'ADOPTION'

/**
 * Requires that this Redis holds no data of the Python system: new orders would be added to totals that are not converted.
 * With partitions it checks only until Redis is set up, because the ACL user may have no access to the bare key names.
 * @throws OrdersError ORD_MANIFEST when such data exists or is being converted
 */
export async function requireAdopted(redis: RedisClient, config: Config, manifest?: Manifest): Promise<void> {
  const settings = manifest ?? (await readManifest(redis))
  requireNotAdopting(settings, config)
  if (partitionsOf(config) !== undefined && 'PARTITIONS' in settings) return
  const found = await noticePython(redis)
  if (found === undefined) return
  const message = `Redis at ${safeUrl(config)} was filled by the Python system (${found})`
  throw new OrdersError('ORD_MANIFEST', `${message}: stop that system and run orders adopt first.`)
}

/** @throws OrdersError ORD_MANIFEST while an adoption is running */
export function requireNotAdopting(manifest: Manifest, config: Config): void {
  if (!(adoptionField in manifest)) return
  const message = `Redis at ${safeUrl(config)} is being adopted from the Python system`
  throw new OrdersError('ORD_MANIFEST', `${message}: let orders adopt --yes end first, or run it again.`)
}

/** Sets up Redis with the settings of this process and blocks all other processes until the adoption has ended. */
export async function beginAdoption({ redis, config, now }: App): Promise<void> {
  await writeMissing(redis, config, await readManifest(redis))
  await redis.hsetnx(manifestKey, adoptionField, now().toISOString())
}

export async function isAdopting(redis: RedisClient): Promise<boolean> {
  return adoptionField in (await readManifest(redis))
}

export async function endAdoption(redis: RedisClient): Promise<void> {
  await redis.hdel(manifestKey, adoptionField)
}
