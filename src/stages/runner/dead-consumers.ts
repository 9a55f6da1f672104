import type { App } from '../../app.ts'
import { loadScript, runScript } from '../../redis/script.ts'
import type { Consumer } from './consume.ts'

const script = loadScript(import.meta.url)

/** A living consumer calls every CLAIM_IDLE_MS. One that was only slow is created again by its next read. */
const deadAfterCalls = 6

/** Takes dead consumers off the group's list, and this one if it ends; not those that still hold entries. */
export async function leaveGroup(
  { redis, config, telemetry }: App,
  { stage, stream, name }: Consumer,
  ending: boolean,
): Promise<void> {
  const args = [stage.name, name, ending ? 1 : 0, deadAfterCalls * config.claimIdleMs]
  const gone = (await runScript(redis, script, [stream], args)) as string[]
  const consumers = gone.filter((other) => other !== name)
  if (consumers.length > 0) telemetry.emit('consumersRemoved', { stage: stage.name, consumers })
}
