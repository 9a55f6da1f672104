import type { App, PartitionScope } from '../../app.ts'
import { messageOf, OrdersError } from '../../errors.ts'
import { type Chain, type KnownLines, readChains } from '../../reads/archive/chains.ts'
import { readRecords } from '../../reads/archive/records.ts'
import { type LiveSegment, liveSegments } from '../../reads/archive/segments.ts'
import { readBooks, type StageBooks } from '../../reads/books.ts'
import { unwrapReplies } from '../../redis/client.ts'
import { archive } from '../../stages/archive/archive.ts'
import { type Line, partitionName } from '../../stages/archive/manifest.ts'
import { requireSameArchive } from '../../stages/archive/same-archive.ts'
import type { ObjectStore } from '../../stages/archive/store/object-store.ts'
import { compareIds } from '../../stream-id.ts'
import { sumBy } from '../../sums.ts'
import { byFirst, openOverlaps } from './overlaps.ts'
import { oddReplacements } from './replaced.ts'
import { uncountedAdvice, uncountedIn, uncountedText } from './uncounted.ts'

/** Result of a verification of the archive. */
export interface ArchiveCheck {
  readonly verdict: 'right' | 'wrong'
  readonly chains: number
  readonly segments: number
  readonly records: number
  readonly bytes: number
  /** Orders and corrections that wait to be archived. */
  readonly waiting: number | null
  /** Those that were admitted before the archive began. */
  readonly before: number | null
  /** A sentence each. */
  readonly differences: readonly string[]
  /** Facts that do not make it wrong, a sentence each. */
  readonly notes: readonly string[]
}

interface Verifying {
  readonly app: App
  readonly store: ObjectStore
  readonly signal: AbortSignal
  /** Called after each segment. */
  onSegment?(done: number, of: number): void
}

/**
 * Reads every segment that counts, and compares it with the manifest; the chains with Redis; and what was archived with the
 * books: every order and correction that was admitted since the archive began is in it once, or waits. Runs while orders flow.
 */
export async function verifyArchive(verifying: Verifying): Promise<ArchiveCheck> {
  const { app, store } = verifying
  const known: KnownLines = new Map()
  let chains: readonly Chain[]
  try {
    await requireSameArchive(app, store)
    chains = await readChains(store, app, known)
  } catch (error) {
    return { ...nothing, verdict: 'wrong', differences: [messageOf(error)] }
  }
  const live = liveSegments(chains)
  const ofSegments = await checkSegments(verifying, live)
  const ofBooks = await checkBooks(app, store, known)
  const differences = [...oddReplacements(chains), ...ofSegments.differences, ...ofBooks.differences]
  return {
    verdict: differences.length > 0 ? 'wrong' : 'right',
    ...{ chains: chains.length, segments: live.length, records: ofSegments.records },
    bytes: sumBy(live, ({ segment }) => segment.bytes),
    ...{ waiting: ofBooks.stage?.waiting ?? null, before: ofBooks.stage?.missed ?? null },
    differences,
    notes: [...notesOf(chains), ...(await uncountedNotes(app, chains))],
  }
}

const nothing = { chains: 0, segments: 0, records: 0, bytes: 0, waiting: null, before: null, notes: [] }

interface Found {
  records: number
  readonly differences: string[]
}

async function checkSegments(
  { app, store, signal, onSegment }: Verifying,
  live: readonly LiveSegment[],
): Promise<Found> {
  const found: Found = { records: 0, differences: [] }
  const overlaps = openOverlaps()
  for (const [at, one] of byFirst(live).entries()) {
    signal.throwIfAborted()
    try {
      const entries = await entriesIn(store, one)
      found.records += one.segment.records
      found.differences.push(...oddRange(one, entries), ...overlaps.add({ ...one, ids: entries.ids }))
    } catch (error) {
      if (!(error instanceof OrdersError && error.code === 'ORD_ARCHIVE')) throw error
      if (!(await isLive(app, store, one))) continue // it was taken out meanwhile
      found.differences.push(messageOf(error))
    }
    onSegment?.(at + 1, live.length)
  }
  return found
}

async function isLive(app: App, store: ObjectStore, { segment }: LiveSegment): Promise<boolean> {
  return liveSegments(await readChains(store, app)).some((one) => one.segment.name === segment.name)
}

/** Reads a segment. Returns its entries, and `<entry> <at>` of each record that it has twice. */
async function entriesIn(store: ObjectStore, { segment }: LiveSegment): Promise<{ ids: Set<string>; twice: string[] }> {
  const ids = new Set<string>()
  const places = new Set<string>()
  const twice: string[] = []
  for await (const { entry, at } of readRecords(store, segment)) {
    ids.add(entry)
    const place = `${entry} ${at}`
    if (places.has(place)) twice.push(place)
    places.add(place)
  }
  return { ids, twice }
}

type Entries = Awaited<ReturnType<typeof entriesIn>>

function oddRange({ segment }: LiveSegment, { ids, twice }: Entries): string[] {
  const { name, first, last, entries } = segment
  const outside = [...ids].filter((id) => compareIds(id, first) < 0 || compareIds(id, last) > 0)
  return [
    ...twice.slice(0, 3).map((place) => `The segment ${name} has the record ${place} twice.`),
    ...outside
      .slice(0, 3)
      .map((id) => `The segment ${name} has the entry ${id}, which is not from ${first} to ${last}.`),
    ...(ids.size > entries ? [`The segment ${name} has ${ids.size} entries, and ${entries} by the manifest.`] : []),
  ]
}

interface BookCheck {
  readonly stage: StageBooks | undefined
  readonly differences: string[]
}

/** Compares the lines of the open chains with the counters, and the counters with each other. */
async function checkBooks(app: App, store: ObjectStore, known: KnownLines): Promise<BookCheck> {
  const { redis, partitions } = app
  const counted = await Promise.all(partitions.map((keys) => readCounted({ redis, keys })))
  const chains = await readChains(store, app, known) // after the counters: it has every line that they count
  const differences = counted.flatMap(({ partition, archived, chain, seq }) => {
    if (chain === null) return [] // after a repartition or a leave: the next chain begins with what was counted before
    const lines = chains.find((one) => one.chain === chain)?.lines.filter((line) => line.seq <= seq) ?? []
    const expected = sumBy(lines, ordersIn)
    if (expected === archived) return []
    const where = partition === 'none' ? '' : ` of partition ${partition}`
    return [`The segments${where} have ${expected} orders and corrections, and the counter archived has ${archived}.`]
  })
  const books = await readBooks(app)
  const stage = books.stages.find((one) => one.stage === archive.name)
  if (stage?.balanced === false)
    differences.push(
      `The books of the stage archive do not balance: ${stage.in} came in, ${stage.passed} are archived.`,
    )
  return { stage, differences }
}

/** Reads the counter of a partition and the line up to which it counts, without MULTI, which a full Redis refuses. */
async function readCounted({ redis, keys }: Pick<PartitionScope, 'redis' | 'keys'>) {
  for (;;) {
    const read = redis.pipeline().hmget(keys.archive, 'chain', 'seq')
    const replies = await read.hget(keys.counters, archive.counts).hmget(keys.archive, 'chain', 'seq').exec()
    const [before, archived, after] = unwrapReplies(replies) as [Place, string | null, Place]
    if (before.join() !== after.join()) continue // a line was committed in between
    return { partition: partitionName(keys), archived: Number(archived ?? 0), chain: before[0], seq: Number(before[1]) }
  }
}

type Place = [chain: string | null, seq: string | null]

function ordersIn(line: Line): number {
  if (line.kind === 'begin') return line.archived
  return line.kind === 'segment' ? line.segment.orders : 0
}

async function uncountedNotes(app: App, chains: readonly Chain[]): Promise<string[]> {
  const records = await uncountedIn(app, chains)
  return records > 0 ? [`The archive ${uncountedText(records)}. ${uncountedAdvice}`] : []
}

function notesOf(chains: readonly Chain[]): string[] {
  return chains.flatMap(({ chain, lines, abandoned, isOpen, partition }) => {
    const junk = sumBy(lines, (line) => (line.kind === 'segment' ? line.segment.orders - line.segment.records : 0))
    return [
      ...(isOpen ? [] : [`The chain ${chain} of partition ${partition} has ended, with ${lines.length} lines.`]),
      ...(!isOpen && abandoned.length > 0
        ? [`Redis has lost ${abandoned.length} lines of the chain ${chain}: their orders do not count.`]
        : []),
      ...(junk > 0
        ? [`${junk} orders of the chain ${chain} were in entries that are no record batch: see orders invalid.`]
        : []),
    ]
  })
}
