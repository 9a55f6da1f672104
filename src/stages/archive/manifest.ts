import { createHash } from 'node:crypto'
import { z } from 'zod'
import { OrdersError } from '../../errors.ts'
import type { Keys } from '../../keys.ts'

/*
 * The manifest says which segments count. It is made of chains of lines. A partition has one chain at a time. A new one begins
 * where Redis holds none: at the first start, after a repartition, and after Redis was emptied or restored.
 * Redis and the store hold the same text of a line. Each line holds the SHA-256 of the text of the line before it.
 *
 * Redis may lose lines that the store has, or whole chains, as when it is restored or fails over. Their segments do not count:
 * the orders came again, or are gone from Redis. But the objects stay. A segment that such a line takes out stays out: its
 * object is gone.
 * The times of lines show what was lost, in reads/archive/heads.ts. So they never go back, whatever clock Redis has.
 */

const hash = z.string().regex(/^[0-9a-f]{64}$/)
const count = z.int().min(0)

/** A file of records. */
export const segment = z.object({
  /** Of the object, relative to the place of the archive. */
  name: z.string().min(1),
  /** Ids of its first and last entries on orders:valid, in the order of ids. */
  first: z.string(),
  last: z.string(),
  entries: count,
  /** Orders and corrections that the stage has counted for it. */
  orders: count,
  /** Lines of the file. An entry that is no record batch has orders, and no line. */
  records: count,
  /** Of the object. */
  bytes: count,
  sha256: hash,
})
export type Segment = z.output<typeof segment>

const common = {
  /** From 1. */
  seq: z.int().min(1),
  /** When it was committed, by Redis' clock; later than the line before it, and a begin later than all lines of the store. */
  at: z.iso.datetime(),
  /** Of the line before it; 64 zeros in the first. */
  previous: hash,
}

/** The first line of a chain. */
const begin = z.object({
  ...common,
  kind: z.literal('begin'),
  chain: z.string(),
  /** Its number and how many there are, as `3of8`; `none` without partitions. */
  partition: z.string(),
  /** The counter of the stage, before the chain. */
  archived: z.int(),
  /** Set where Redis went back to an earlier line of a chain. */
  follows: z.object({ chain: z.string(), seq: z.int(), head: hash }).optional(),
})

/** A segment whose entries were acknowledged in the same step. */
const committed = z.object({ ...common, kind: z.literal('segment'), segment })

/** Takes a segment out, and puts another in its place if there is one. */
const replaced = z.object({
  ...common,
  kind: z.enum(['erased', 'expired']),
  /** Name of the segment. It may be of another chain that has ended. */
  removes: z.string(),
  segment: segment.optional(),
  /** Names the receipt of an erasure. */
  receipt: z.string().optional(),
})

const line = z.discriminatedUnion('kind', [begin, committed, replaced])
/** A line of the manifest. */
export type Line = z.output<typeof line>

/** The content of a line that takes out a segment. */
export type ReplacingLine = Omit<z.output<typeof replaced>, keyof typeof common>
/** The content of a line, without its place. */
export type LineContent =
  | Pick<z.output<typeof begin>, 'kind' | 'chain' | 'partition' | 'follows'>
  | Pick<z.output<typeof committed>, 'kind' | 'segment'>
  | ReplacingLine

/** The end of a chain, which the next line follows: the number of its last line, and the SHA-256 of its text. */
export interface Head {
  /** '' where there is no chain yet. */
  readonly chain: string
  readonly seq: number
  readonly head: string
}

export const noHash = '0'.repeat(64)
export const sha256 = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex')

/** Parses the text of a line. @throws OrdersError ORD_ARCHIVE */
export function parseLine(text: string, from: string): Line {
  try {
    return line.parse(JSON.parse(text))
  } catch (cause) {
    throw new OrdersError('ORD_ARCHIVE', `${from} is no line of a manifest.`, { cause })
  }
}

/** Returns how a partition is called in the names of objects. */
export const partitionName = ({ partition, layout }: Pick<Keys, 'partition' | 'layout'>): string =>
  partition === undefined ? 'none' : `${partition}of${layout}`

/** Returns the number of partitions in the name of one; `none` without partitions. */
export const layoutIn = (partition: string): string => partition.split('of').at(-1) ?? partition

/** Names of all lines begin so. */
export const manifestPrefix = 'manifest/'
/** Names of all segments begin so. */
export const segmentPrefix = 'dt='

/** Names of the lines of a chain begin so. */
export const chainPrefix = (partition: string, chain: string): string =>
  `${manifestPrefix}partition=${partition}/chain=${chain}/`

/** Names of a chain's lines of one number begin so: there is one, unless Redis has lost a line. */
export const linePrefix = (partition: string, chain: string, seq: number): string =>
  `${chainPrefix(partition, chain)}${String(seq).padStart(12, '0')}-`

/** Returns the name of the object of a line. Its SHA-256 is in it, so that no line is ever replaced by another. */
export const lineName = (partition: string, { chain, seq, head }: Head): string =>
  `${linePrefix(partition, chain, seq)}${head.slice(0, 16)}.json`

/** Reads the name of the object of a line. Undefined for another object. */
export function parseLineName(name: string): { partition: string; chain: string; seq: number } | undefined {
  const [, partition, chain, seq] =
    /^manifest\/partition=([^/]+)\/chain=([^/]+)\/(\d{12,15})-[0-9a-f]{16}\.json$/.exec(name) ?? []
  return partition === undefined || chain === undefined ? undefined : { partition, chain, seq: Number(seq) }
}

/** Returns the partition in the name of a segment. */
export const partitionIn = (segment: string): string => /\/partition=([^/]+)\//.exec(segment)?.[1] ?? 'none'

/** Returns the name of a segment. The day is that of its first entry in UTC. */
export function segmentName(partition: string, first: string, last: string, random: string): string {
  const day = new Date(Number.parseInt(first, 10)).toISOString().slice(0, 10)
  return `${segmentPrefix}${day}/partition=${partition}/${first}-${last}-${random}.ndjson.gz`
}
