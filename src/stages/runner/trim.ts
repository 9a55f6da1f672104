import { z } from 'zod'
import type { Partition } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { loadScript, runScript } from '../../redis/script.ts'
import { pipeline } from '../pipeline.ts'
import type { Stage } from '../stage.ts'

const script = loadScript(import.meta.url)

/** Per stage the id up to which its entries have been compared with what it has committed (see trim.lua). */
export type Looked = Map<string, string>

const reply = z.tuple([z.int()], z.union([z.string(), z.int()]))

/**
 * Removes what every group of the stage's stream is done with; a work stream is never trimmed by length. Stages whose group
 * skips entries that they have not committed are given them again.
 * @param thorough looks at entries even where their numbers say that all is right
 * @returns how many entries were removed
 */
export async function trim(
  { redis, telemetry, keys }: Pick<Partition, 'redis' | 'telemetry' | 'keys'>,
  { name, from }: Stage,
  { looked = new Map(), thorough = false }: { looked?: Looked; thorough?: boolean } = {},
): Promise<number> {
  const others = pipeline.filter((other) => other.from === from).map((other) => other.name)
  const stages = [...new Set([name, ...others])]
  const names = [keys.stream[from], from === 'counted' ? keys.held : keys.nothing, ...stages.map(keys.done)]
  const args = [thorough ? 1 : 0, ...stages.flatMap((stage) => [stage, looked.get(stage) ?? ''])]
  const parsed = reply.safeParse(await runScript(redis, script, names, args))
  if (!parsed.success) throw new OrdersError('ORD_REDIS_REPLY', 'Redis replied to trim.lua in an unknown shape.')
  const [entries, ...states] = parsed.data
  for (const [at, stage] of stages.entries()) {
    looked.set(stage, String(states[2 * at] ?? ''))
    if (states[2 * at + 1] === 1) telemetry.emit('groupSetBack', { stage })
  }
  if (entries > 0) telemetry.emit('trimmed', { stage: name, entries })
  return entries
}
