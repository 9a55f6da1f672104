import { z } from 'zod'
import type { PartitionScope } from '../../app.ts'
import { defineScript } from '../../redis/script.ts'
import { fieldOf, layoutOf, otherLayoutError } from '../layout/layout.ts'

const createGroup = defineScript(import.meta.url, z.union([z.literal([0, 1]), z.string()]))

/**
 * Creates every missing stream and consumer group of the pipeline, at every start: a stream is trimmed below the entries that its
 * groups have acknowledged, so each group must exist before the others commit. A stage added to a running system gets the
 * entries that its stream still holds; earlier orders count as missed.
 * @throws OrdersError ORD_MANIFEST if another list of stages has taken effect
 */
export async function ensureGroups({
  redis,
  keys,
  pipeline,
}: Pick<PartitionScope, 'redis' | 'keys' | 'pipeline'>): Promise<void> {
  for (const stage of pipeline.stages) {
    const { in: inflow, outflow, lost, missed } = stage.counters
    const own = [keys.committed(stage.name), keys.stages, keys.missedBefore]
    const names = [keys.stream(stage.from), keys.counters, ...own]
    const wanted = {
      group: stage.name,
      field: fieldOf(stage),
      layout: layoutOf(stage),
      readers: pipeline.channel(stage.from).readers.map(({ name }) => name),
      outside: stage.isFirst,
      leaves: stage.isObserver,
      inflow,
      outflow: [...outflow, lost],
      missed,
    }
    const reply = await createGroup(redis, names, [JSON.stringify(wanted)])
    if (typeof reply === 'string') throw otherLayoutError(stage, reply)
  }
}

/** Returns the fields of one group in a reply to XINFO GROUPS; undefined if the group is missing. */
export function groupNamed(reply: unknown, name: string): Readonly<Record<string, unknown>> | undefined {
  const groups = (Array.isArray(reply) ? reply : []).map(toObject)
  return groups.find((fields) => fields['name'] === name)
}

function toObject(flat: readonly unknown[]): Record<string, unknown> {
  const object: Record<string, unknown> = {}
  for (let i = 0; i + 1 < flat.length; i += 2) object[String(flat[i])] = flat[i + 1]
  return object
}
