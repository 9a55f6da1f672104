import { z } from 'zod'
import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import type { RedisClient } from '../../redis/client.ts'
import { minId } from '../../stream-id.ts'
import type { Pipeline, Stage } from '../placed.ts'
import { decodeEntry, type Entry, entryBytes } from './entry.ts'

export interface Consumer {
  readonly stage: Stage
  readonly stream: string
  readonly name: string
  /** Its own connection: a blocking read holds it. */
  readonly reader: RedisClient
}

/** The entries of one read; none if nothing arrived within BLOCK_MS. */
export interface Read {
  readonly entries: readonly Entry[]
  /** True if the read was full: more entries may wait. */
  readonly more: boolean
}

/**
 * Yields entries to process until the signal aborts: first those that were last delivered CLAIM_IDLE_MS ago or earlier
 * and are still pending, then new ones. Two consumers may thus hold one entry; only the first commit counts (see commit.lua).
 * Reads only when the caller asks.
 */
export async function* consume(app: App, consumer: Consumer, signal: AbortSignal): AsyncGenerator<Read, void> {
  const { config, telemetry, pipeline } = app
  const size = readCount(2 * config.batchRecords)
  let claimAt = 0
  let cursor = minId
  while (!signal.aborted) {
    if (performance.now() >= claimAt) {
      const claimed = await claimIdle(app, consumer, cursor)
      cursor = claimed.cursor
      if (cursor === minId) claimAt = performance.now() + config.claimIdleMs / 2
      if (claimed.entries.length > 0) {
        telemetry.emit('claimed', { stage: consumer.stage.name, entries: claimed.entries.length })
        yield { entries: claimed.entries, more: false }
        continue
      }
    }
    const count = size.next()
    const from = performance.now()
    const entries = await readNew(pipeline, consumer, count, config.blockMs)
    const durationMs = performance.now() - from
    if (entries.length > 0) telemetry.emit('read', { stage: consumer.stage.name, entries: entries.length, durationMs })
    size.saw(entries)
    yield { entries, more: entries.length >= count }
  }
}

/** 25: XAUTOCLAIM scans ten times as many pending entries a call; more entries of 1 MB would need too much memory. */
const claimCount = 25

async function claimIdle(
  { config, telemetry, pipeline }: App,
  { stage, stream, name, reader }: Consumer,
  from: string,
): Promise<{ cursor: string; entries: Entry[] }> {
  const args = [stream, stage.name, name, config.claimIdleMs, from, 'COUNT', claimCount]
  const reply = await reader.callBuffer('XAUTOCLAIM', args)
  const [cursor, entries, deleted] = claimReply.parse(reply)
  // Pending entries that are gone from the stream: this pipeline never removes them, so another client did.
  if (deleted.length > 0) telemetry.emit('entriesLost', { stage: stage.name, entryIds: deleted.map(String) })
  return { cursor: String(cursor), entries: decodeAll(pipeline, entries, stage.from) }
}

async function readNew(
  pipeline: Pipeline,
  { stage, stream, name, reader }: Consumer,
  count: number,
  blockMs: number,
): Promise<Entry[]> {
  const group = ['GROUP', stage.name, name] as const
  const reply = await reader.xreadgroupBuffer(...group, 'COUNT', count, 'BLOCK', blockMs, 'STREAMS', stream, '>')
  const [read] = readReply.parse(reply) ?? []
  return decodeAll(pipeline, read?.[1] ?? [], stage.from)
}

/**
 * Chooses the number of entries to read, by the size of those of the last read: about two commits' records (with one, later
 * stages read too often, and each read waits in Redis behind a commit of another stage) and at most 16 MB (a raw entry may hold
 * ten bodies of 1 MB).
 */
function readCount(records: number) {
  const readBytes = 16_000_000
  let count = 10
  return {
    next: () => count,
    saw: (entries: readonly Entry[]): void => {
      if (entries.length === 0) return
      const held = entries.reduce((sum, entry) => sum + (entry.records?.length ?? 1), 0)
      const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0)
      const fit = Math.min(records / (held / entries.length), readBytes / (bytes / entries.length))
      count = Math.max(1, Math.min(Math.ceil(fit), records))
    },
  }
}

function decodeAll(pipeline: Pipeline, entries: readonly RawEntry[], from: string): Entry[] {
  return entries.flatMap(([id, fields]) => (fields === null ? [] : [decodeEntry(pipeline, String(id), fields, from)]))
}

const buffer = z.instanceof(Buffer)
const rawEntry = z.tuple([buffer, z.array(buffer).nullable()])
type RawEntry = z.output<typeof rawEntry>
const reply = <S extends z.ZodType>(command: string, schema: S) => ({
  parse: (value: unknown): z.output<S> => {
    const parsed = schema.safeParse(value)
    if (parsed.success) return parsed.data
    throw new OrdersError('ORD_REDIS_REPLY', `Redis replied to ${command} in an unknown shape.`, {
      cause: parsed.error,
    })
  },
})
const readReply = reply('XREADGROUP', z.array(z.tuple([buffer, z.array(rawEntry)])).nullable())
/** Redis 6.2 does not list deleted entries. */
const claimReply = reply('XAUTOCLAIM', z.tuple([buffer, z.array(rawEntry), z.array(buffer).default([])]))
