import type { App } from '../../app.ts'
import { inspectQueue } from '../../ingest/sqs/queue.ts'
import { fullestOf } from '../../redis/info.ts'
import { type GroupSummary, summarize } from '../../stages/invalid/reasons.ts'

/* Readings of a snapshot that are reused for some seconds. */

type Scope = Pick<App, 'redis' | 'partitions'>
type Failed = Omit<GroupSummary, 'newest' | 'lastMinute' | 'minuteBefore'> & {
  readonly last_minute: number
  readonly minute_before: number
  readonly example: { readonly id: string }
}
type Memory = { readonly used_bytes: number; readonly most_bytes: number | null }
type Queue = { readonly visible: number; readonly in_flight: number; readonly dead_letters: number | null }

export async function readFailed({ redis, partitions }: Scope): Promise<Failed[]> {
  const groups = await summarize(redis, partitions)
  return groups.map(({ newest: { id }, lastMinute, minuteBefore, ...group }) => ({
    ...group,
    last_minute: lastMinute,
    minute_before: minuteBefore,
    example: { id },
  }))
}

export async function readMemory({ redis, partitions }: Scope): Promise<Memory | null> {
  const memory = await fullestOf(redis, partitions)
  return memory ? { used_bytes: memory.used, most_bytes: memory.most === 0 ? null : memory.most } : null
}

export async function readQueue(config: App['config']): Promise<Queue | null> {
  const state = await inspectQueue(config).catch(() => undefined)
  if (state?.status !== 'found') return null
  return { visible: state.messages, in_flight: state.inFlight, dead_letters: state.deadLetters ?? null }
}
