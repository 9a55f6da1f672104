import { z } from 'zod'
import type { PartitionScope } from '../../app.ts'
import { defineScript } from '../../redis/script.ts'
import { aggregate } from '../aggregate.ts'
import type { Stage } from '../placed.ts'

const trimStream = defineScript(import.meta.url, z.tuple([z.int()], z.union([z.string(), z.int()])))

/** Per stage the id up to which its entries have been compared with its commits (see trim.lua). */
export type ScannedUpTo = Map<string, string>

/**
 * Removes the entries that every group of the stage's stream has processed; a work stream is never trimmed by length. Sets back
 * the group of a stage that skipped entries which the stage has not committed.
 * @param thorough scans entries even if their numbers agree
 * @returns the number of entries removed
 */
export async function trim(
  { redis, telemetry, keys, pipeline }: Pick<PartitionScope, 'redis' | 'telemetry' | 'keys' | 'pipeline'>,
  { name, from }: Stage,
  { scanned = new Map(), thorough = false }: { scanned?: ScannedUpTo; thorough?: boolean } = {},
): Promise<number> {
  const others = pipeline.channel(from).readers.map((other) => other.name)
  const stages = [...new Set([name, ...others])]
  const names = [
    keys.stream(from),
    from === aggregate.passes?.channel ? keys.trimHold : keys.nothing,
    ...stages.map(keys.committed),
  ]
  const args = [thorough ? 1 : 0, ...stages.flatMap((stage) => [stage, scanned.get(stage) ?? ''])]
  const [entries, ...states] = await trimStream(redis, names, args)
  for (const [at, stage] of stages.entries()) {
    scanned.set(stage, String(states[2 * at] ?? ''))
    if (states[2 * at + 1] === 1) telemetry.emit('groupRewound', { stage })
  }
  if (entries > 0) telemetry.emit('trimmed', { stage: name, entries })
  return entries
}
