import { setInterval as every } from 'node:timers/promises'
import type { App, Loop } from '../../app.ts'
import type { Config } from '../../config/config.ts'
import { OrdersError } from '../../errors.ts'
import type { RedisClient } from '../../redis/client.ts'
import { requireAdopted, requireNotAdopting } from './adoption.ts'
import { requireNotMoving } from './repartition.ts'
import { manifestConflicts, nameCurrency, readManifest, writeMissing } from './settings.ts'

/**
 * Compares the settings of this process with those of Redis, which the first process sets. With other settings a process
 * would not find the records of the ledger. Writes only missing settings: a full Redis takes no writes, and the stages
 * must start to make room.
 * @throws OrdersError ORD_MANIFEST when this process has other settings, orders are being moved, or the Python system has
 * filled this Redis.
 */
export async function checkManifest(redis: RedisClient, config: Config): Promise<void> {
  const manifest = await readManifest(redis)
  await requireAdopted(redis, config, manifest)
  await writeMissing(redis, config, manifest)
  await requireSameSettings(redis, config)
  await nameCurrency(redis, config, manifest)
  requireNotMoving(manifest, config)
}

async function requireSameSettings(redis: RedisClient, config: Config): Promise<void> {
  const [conflict] = await manifestConflicts(redis, config)
  if (conflict) throw new OrdersError('ORD_MANIFEST', conflict)
}

const checkEveryMs = 1_000
/** Every process reads the manifest and the pauses at least once a second, and then finishes its work in flight. */
export const noticedMs = 2_500
const advice = 'Redis had lost its settings: run orders verify, and find the client that deletes keys there.'

/**
 * Ends the process once Redis has other settings: after a repartition it would use keys that no other process reads.
 * Writes deleted settings again: otherwise the next process to start could set others.
 */
export function manifestLoop({ redis, config, telemetry }: App): Loop {
  return {
    name: 'manifest',
    run: async (tick, signal) => {
      for await (const _ of every(checkEveryMs, undefined, { signal })) {
        await requireSameSettings(redis, config)
        const manifest = await readManifest(redis)
        requireNotAdopting(manifest, config)
        await nameCurrency(redis, config, manifest)
        const settings = await writeMissing(redis, config, manifest).catch(() => []) // a full Redis takes none
        if (settings.length > 0) telemetry.emit('manifestRestored', { settings: settings.join(', '), advice })
        tick()
      }
    },
  }
}
