import { isUtf8 } from 'node:buffer'
import { z } from 'zod'
import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { type ChannelName, channels, type RecordOf } from '../../messages.ts'
import type { RedisClient } from '../../redis/client.ts'
import { pipeline } from '../pipeline.ts'
import type { Stage } from '../stage.ts'

/** A stream entry. `records` is undefined where the entry is not a record batch. */
export interface Entry {
  readonly id: string
  /** Names and values in turn, as they stand in the stream. */
  readonly fields: readonly Buffer[]
  readonly records: readonly RecordOf[ChannelName][] | undefined
  /** The number of orders that the entry says it has: 1 where it says nothing that can be. */
  readonly orders: number
  /** Whether its orders were counted when it was written: whether one of our scripts wrote it. */
  readonly counted: boolean
  /** When its orders were sent to SQS, in ms, and how many then, in turn; empty where that is not known. */
  readonly sent: readonly number[]
  /** The span that wrote it, as a traceparent. */
  readonly traceparent: string | undefined
  /** The one stage that it is for; undefined for all that read the stream. */
  readonly group: string | undefined
}

export interface Consumer {
  readonly stage: Stage
  readonly stream: string
  readonly name: string
  /** Its own connection: a blocking read holds it. */
  readonly reader: RedisClient
}

/** What one read gave; none means that there was nothing within BLOCK_MS. */
export interface Read {
  readonly entries: readonly Entry[]
  /** Whether there were as many as it asked for: more may wait. */
  readonly more: boolean
}

/**
 * Entries to work off, until the signal aborts: first those whose consumer has been silent for CLAIM_IDLE_MS, then new
 * ones. An entry may thus be held twice; only the first commit counts (see commit.lua). Nothing is read until the
 * caller asks.
 */
export async function* consume(app: App, consumer: Consumer, signal: AbortSignal): AsyncGenerator<Read, void> {
  const { config, telemetry } = app
  const size = readCount(2 * config.batchRecords)
  let claimAt = 0
  let cursor = '0-0'
  while (!signal.aborted) {
    if (performance.now() >= claimAt) {
      const claimed = await claimIdle(app, consumer, cursor)
      cursor = claimed.cursor
      if (cursor === '0-0') claimAt = performance.now() + config.claimIdleMs / 2
      if (claimed.entries.length > 0) {
        telemetry.emit('claimed', { stage: consumer.stage.name, entries: claimed.entries.length })
        yield { entries: claimed.entries, more: false }
        continue
      }
    }
    const count = size.next()
    const from = performance.now()
    const entries = await readNew(consumer, count, config.blockMs)
    const durationMs = performance.now() - from
    if (entries.length > 0) telemetry.emit('read', { stage: consumer.stage.name, entries: entries.length, durationMs })
    size.saw(entries)
    yield { entries, more: entries.length >= count }
  }
}

/** 25: XAUTOCLAIM looks at ten times as many pending entries a call; more entries of 1 MB would be too much to hold. */
const claimCount = 25

async function claimIdle(
  { config, telemetry }: App,
  { stage, stream, name, reader }: Consumer,
  from: string,
): Promise<{ cursor: string; entries: Entry[] }> {
  const args = [stream, stage.name, name, config.claimIdleMs, from, 'COUNT', claimCount]
  const reply = await reader.callBuffer('XAUTOCLAIM', args)
  const [cursor, entries, deleted] = claimReply.parse(reply)
  // Pending entries that are gone from the stream: nothing of ours removes such, so somebody else did.
  if (deleted.length > 0) telemetry.emit('vanished', { stage: stage.name, entryIds: deleted.map(String) })
  return { cursor: String(cursor), entries: decodeAll(entries, stage.from) }
}

async function readNew({ stage, stream, name, reader }: Consumer, count: number, blockMs: number): Promise<Entry[]> {
  const group = ['GROUP', stage.name, name] as const
  const reply = await reader.xreadgroupBuffer(...group, 'COUNT', count, 'BLOCK', blockMs, 'STREAMS', stream, '>')
  const [read] = readReply.parse(reply) ?? []
  return decodeAll(read?.[1] ?? [], stage.from)
}

/**
 * How many entries to read so that they hold about two commits' records (with one, the reads of the later stages are too
 * many: each waits in Redis behind a commit of another stage), and no more than 16 MB (a raw entry may hold ten bodies of
 * 1 MB): by what the last read's entries held.
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

export function entryBytes({ fields }: Entry): number {
  return fields.reduce((sum, field) => sum + field.length, 0)
}

function decodeAll(entries: readonly RawEntry[], from: ChannelName): Entry[] {
  return entries.flatMap(([id, fields]) => (fields === null ? [] : [decodeEntry(String(id), fields, from)]))
}

/** Never throws: what is no batch of this channel's records is an entry without records. */
export function decodeEntry(id: string, fields: readonly Buffer[], from: ChannelName): Entry {
  const batch = fieldValue(fields, 'r')
  const said = Number(fieldValue(fields, 'n') ?? 1)
  return {
    id,
    fields,
    records: batch && isUtf8(batch) ? parseRecords(batch.toString(), from) : undefined,
    orders: Number.isSafeInteger(said) && said > 0 && said <= maxRecords ? said : 1,
    counted: fieldValue(fields, 'c') !== undefined,
    sent: sentOf(fieldValue(fields, 't')),
    traceparent: fieldValue(fields, 'p')?.toString(),
    group: groupOf(fieldValue(fields, 'g'), from),
  }
}

function fieldValue(fields: readonly Buffer[], name: string): Buffer | undefined {
  const at = fields.findIndex((field, index) => index % 2 === 0 && field.toString() === name)
  return at === -1 ? undefined : fields[at + 1]
}

const sentForm = /^\[[1-9]\d{0,14},[1-9]\d{0,8}(,[1-9]\d{0,14},[1-9]\d{0,8})*\]$/
/** A pair for each order of the largest commit, 5,000, takes less. */
const longestSent = 130_000

function sentOf(value: Buffer | undefined): number[] {
  const text = value?.toString()
  return text !== undefined && text.length <= longestSent && sentForm.test(text) ? JSON.parse(text) : []
}

/** What names no stage of the stream comes from elsewhere, and such an entry is for all: nobody may pass it over. */
function groupOf(value: Buffer | undefined, from: ChannelName): string | undefined {
  const name = value?.toString()
  return pipeline.some((stage) => stage.name === name && stage.from === from) ? name : undefined
}

/** No entry of ours has more (BATCH_RECORDS is 5,000 at most); a larger one would be too much for one script. */
const maxRecords = 10_000

const batches: { readonly [C in ChannelName]: z.ZodType<RecordOf[C][]> } = {
  raw: z.array(channels.raw.record).min(1).max(maxRecords),
  valid: z.array(channels.valid.record).min(1).max(maxRecords),
  counted: z.array(channels.counted.record).min(1).max(maxRecords),
}

function parseRecords(text: string, from: ChannelName): RecordOf[ChannelName][] | undefined {
  try {
    const sent: unknown = JSON.parse(text)
    return isPlainBatch(sent, from) ? sent : batches[from].safeParse(sent).data
  } catch {
    return undefined
  }
}

function isPlainBatch(sent: unknown, from: ChannelName): sent is RecordOf[ChannelName][] {
  const { isPlain } = channels[from]
  if (!Array.isArray(sent) || sent.length === 0 || sent.length > maxRecords) return false
  return sent.every((record) => typeof record === 'object' && record !== null && isPlain(record))
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
/** Redis 6.2 does not tell which entries were deleted. */
const claimReply = reply('XAUTOCLAIM', z.tuple([buffer, z.array(rawEntry), z.array(buffer).default([])]))
