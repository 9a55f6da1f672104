import { z } from 'zod'
import type { App } from '../../app.ts'
import type { Config } from '../../config/config.ts'
import { defineScript } from '../../redis/script.ts'
import type { Consumer } from './consume.ts'

const remove = defineScript(import.meta.url, z.array(z.string()))

/** A living consumer calls every CLAIM_IDLE_MS. One that was only slow is created again by its next read. */
const deadAfterCalls = 6
export const deadAfterMs = ({ claimIdleMs }: Pick<Config, 'claimIdleMs'>): number => deadAfterCalls * claimIdleMs

/** Removes dead consumers from the group, and this one if it ends. Keeps those that still hold entries. */
export async function removeConsumers(
  { redis, config, telemetry }: App,
  { stage, stream, name }: Consumer,
  ending: boolean,
): Promise<void> {
  const args = [stage.name, name, ending ? 1 : 0, deadAfterMs(config)]
  const gone = await remove(redis, [stream], args)
  const consumers = gone.filter((other) => other !== name)
  if (consumers.length > 0) telemetry.emit('consumersRemoved', { stage: stage.name, consumers })
}
