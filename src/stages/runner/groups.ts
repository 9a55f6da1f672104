import type { Keys } from '../../keys.ts'
import type { RedisClient } from '../../redis/client.ts'
import { loadScript, runScript } from '../../redis/script.ts'
import { inflowOf, lostBy, missedBy, outflowOf, pipeline } from '../pipeline.ts'

const script = loadScript(import.meta.url)

/**
 * Creates every stream and consumer group of the line that is not there yet. All of them at every start: a stream is
 * trimmed below what its groups have acknowledged, so a group must exist before the others have worked anything off.
 * A stage that is added to a running system gets what its stream still holds; what went by before is counted as missed.
 */
export async function ensureGroups(redis: RedisClient, keys: Keys): Promise<void> {
  for (const stage of pipeline) {
    const names = [keys.stream[stage.from], keys.counters, keys.done(stage.name)]
    const wanted = {
      group: stage.name,
      others: pipeline.filter((other) => other.from === stage.from && other !== stage).map(({ name }) => name),
      outside: stage.from === 'raw',
      inflow: inflowOf(stage.from),
      outflow: [...outflowOf(stage), lostBy(stage)],
      missed: missedBy(stage),
    }
    await runScript(redis, script, names, [JSON.stringify(wanted)])
  }
}

/** The fields of one group in what Redis replies to XINFO GROUPS; undefined where it is not among them. */
export function groupNamed(reply: unknown, name: string): Readonly<Record<string, unknown>> | undefined {
  const groups = (Array.isArray(reply) ? reply : []).map(toObject)
  return groups.find((fields) => fields['name'] === name)
}

function toObject(flat: readonly unknown[]): Record<string, unknown> {
  const object: Record<string, unknown> = {}
  for (let i = 0; i + 1 < flat.length; i += 2) object[String(flat[i])] = flat[i + 1]
  return object
}
