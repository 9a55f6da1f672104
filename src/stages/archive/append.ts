import { z } from 'zod'
import type { PartitionScope } from '../../app.ts'
import { redisClock } from '../../redis/clock.ts'
import { defineScript } from '../../redis/script.ts'
import { fieldOf, layoutOf, otherLayoutError } from '../layout/layout.ts'
import type { Stage } from '../placed.ts'
import { archive } from './archive.ts'
import { type Head, type LineContent, noHash, sha256 } from './manifest.ts'

export const noChain: Head = { chain: '', seq: 0, head: '' }

/** An object is swept a day after it was written if no line names it: so none may be committed much later. */
export const commitWithinMs = 3_600_000

/** A line to append, and the entries that it is about. */
export interface Appending {
  readonly content: LineContent
  /** Entries that it acknowledges, and the consumer that holds them. */
  readonly ids?: readonly string[]
  readonly consumer?: string
  /** Orders of entries that were not counted when they were written. */
  readonly found?: number
  /** By Redis' clock, in ms: later nothing is appended. */
  readonly untilMs?: number
  /** The line is later than this time. */
  readonly after?: string | undefined
}

export type Appended =
  | { readonly status: 'appended'; readonly head: Head }
  /** The chain has gone on, or there is none. None begins while the store lacks a line of the one before. */
  | { readonly status: 'head'; readonly head: Head }
  /** Only these entries are still pending. */
  | { readonly status: 'stale'; readonly held: readonly string[]; readonly again: number }
  | { readonly status: 'late' }

const run = defineScript(
  import.meta.url,
  z.union([
    z.tuple([z.literal('appended')]),
    z.tuple([z.literal('late')]),
    z.tuple([z.literal('layout'), z.string()]),
    z.tuple([z.literal('head'), z.string(), z.string(), z.string()]),
    z.tuple([z.literal('stale'), z.int()], z.string()),
  ]),
)

type Scope = Pick<PartitionScope, 'redis' | 'keys' | 'pipeline'>

/**
 * Appends a line behind a head, or nothing.
 * @throws OrdersError ORD_MANIFEST if another list of stages has taken effect
 */
export async function append(scope: Scope, behind: Head, appending: Appending): Promise<Appended> {
  const { redis, keys, pipeline } = scope
  const stage = pipeline.stage(archive.name)
  if (!stage) throw new Error('This pipeline has no archive.')
  const { content, ids = [], consumer = '', untilMs = 0, after } = appending
  const begins = content.kind === 'begin'
  const at = await laterThan(scope, after)
  const place = begins ? { seq: 1, at, archived: await archivedOf(scope, stage) } : { seq: behind.seq + 1, at }
  const text = JSON.stringify({ ...place, ...content, previous: begins ? noHash : behind.head })
  const head = { chain: begins ? content.chain : behind.chain, seq: place.seq, head: sha256(text) }
  const plan = {
    ...{ layout: [fieldOf(stage), layoutOf(stage)], head: { ...behind, seq: String(behind.seq) }, begins, ids },
    set: { ...head, seq: String(head.seq), at, ...(begins && { partition: content.partition }) },
    ...{ until: untilMs, counts: countsOf(stage, appending), sums: sumsOf(content) },
  }
  const names = [keys.stream(stage.from), keys.counters, keys.committed(stage.name), keys.stages]
  const args = [stage.name, consumer, JSON.stringify(plan), text]
  const reply = await run(redis, [...names, keys.archive, keys.archiveLines], args)
  if (reply[0] === 'layout') throw otherLayoutError(stage, reply[1])
  if (reply[0] === 'late') return { status: 'late' }
  if (reply[0] === 'appended') return { status: 'appended', head }
  if (reply[0] === 'head') return { status: 'head', head: { chain: reply[1], seq: Number(reply[2]), head: reply[3] } }
  const [, again, ...held] = reply
  return { status: 'stale', held, again }
}

/**
 * Returns the time of a line: that of Redis' clock, but later than the line before. The clock goes back where a failover has a
 * master whose clock is behind. If the line before is another one by now, nothing is appended.
 */
async function laterThan({ redis, keys }: Scope, after: string | undefined): Promise<string> {
  const others = [after, await redis.hget(keys.archive, 'at')].map((at) => isoTime.safeParse(at).data)
  const next = others.filter((at) => at !== undefined).map((at) => Date.parse(at) + 1)
  return new Date(Math.max((await redisClock(redis).now()).getTime(), ...next)).toISOString()
}

const isoTime = z.iso.datetime()

const archivedOf = async ({ redis, keys }: Scope, { counts }: Stage): Promise<number> =>
  Number((await redis.hget(keys.counters, counts)) ?? 0)

function countsOf({ counts, counters }: Stage, { content, found = 0 }: Appending): Record<string, number> {
  return content.kind === 'segment' ? { [counts]: content.segment.orders, [counters.found]: found } : {}
}

/** The segments that count, and their bytes, for the metrics. */
function sumsOf(content: LineContent): Record<string, number> {
  if (content.kind === 'segment') return { segments: 1, bytes: content.segment.bytes }
  return {}
}
