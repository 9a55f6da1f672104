import type { App } from '../../app.ts'
import type { BlastRadius } from '../../control/undo/undos.ts'
import { OrdersError } from '../../errors.ts'
import { type Chain, type KnownLines, readChains } from '../../reads/archive/chains.ts'
import { readRecords } from '../../reads/archive/records.ts'
import { liveSegments, removalsIn } from '../../reads/archive/segments.ts'
import { archive } from '../../stages/archive/archive.ts'
import type { Segment } from '../../stages/archive/manifest.ts'
import type { ArchivedRecord } from '../../stages/archive/record.ts'
import type { ObjectStore } from '../../stages/archive/store/object-store.ts'
import { openStore } from '../../stages/archive/store/store.ts'
import { missedBefore } from '../../stages/missed-before.ts'
import { idMs, isoOf, maxId, oldestId } from '../../stream-id.ts'
import { flushOrExplain } from '../archive/flush.ts'

/** The archive as an undo reads it. */
export interface ArchiveReader {
  /** Ends when all that was admitted when it began is in the archive. */
  flush(signal: AbortSignal): Promise<void>
  /**
   * Reads the segments that have records from one time, in ms, to another; without `toMs` to the end. They hold others, too,
   * and come in any order.
   */
  read(fromMs: number, toMs: number | undefined, signal: AbortSignal): AsyncIterable<ArchivedRecord>
  /** Says from when on it has orders, and how it may lack some of a window. */
  coverage(window: Span): Promise<Pick<BlastRadius, 'archive_from' | 'warning'>>
}

interface Span {
  readonly fromMs: number
  readonly toMs: number
}

/** Opens the archive. @throws OrdersError ORD_UNDO where there is none */
export async function openArchiveReader(app: App): Promise<ArchiveReader & Disposable> {
  if (app.config.archiveUrl === undefined) {
    throw new OrdersError('ORD_UNDO', 'There is no archive to read the orders from: set ARCHIVE_URL.')
  }
  const store = await openStore(app.config)
  const known: KnownLines = new Map()
  return {
    flush: (signal) => flushSoon(app, signal),
    read: (fromMs, toMs, signal) => readSegments({ app, store, known }, { fromMs, toMs }, signal),
    coverage: (window) => coverageOf({ app, store, known }, window),
    [Symbol.dispose]: () => store[Symbol.dispose](),
  }
}

async function flushSoon(app: App, signal: AbortSignal): Promise<void> {
  const soon = AbortSignal.timeout(app.config.jobVerdictMs)
  try {
    await flushOrExplain(app, AbortSignal.any([signal, soon]))
  } catch (error) {
    if (signal.aborted || !soon.aborted) throw error
    const seconds = Math.round(app.config.jobVerdictMs / 1_000)
    const message = `The archive has not taken all orders in ${seconds} s: wait until none wait for it in orders status, then try again.`
    throw new OrdersError('ORD_ARCHIVE', message, { cause: error })
  }
}

interface Reading {
  readonly app: App
  readonly store: ObjectStore
  readonly known: KnownLines
}

async function* readSegments(
  { app, store, known }: Reading,
  { fromMs, toMs = Number.POSITIVE_INFINITY }: { readonly fromMs: number; readonly toMs: number | undefined },
  signal: AbortSignal,
): AsyncIterable<ArchivedRecord> {
  for (const { segment } of liveSegments(await readChains(store, app, known))) {
    if (!isIn(segment, { fromMs, toMs })) continue
    signal.throwIfAborted()
    yield* readRecords(store, segment)
  }
}

const isIn = ({ first, last }: Segment, { fromMs, toMs }: Span): boolean => idMs(last) >= fromMs && idMs(first) < toMs

async function coverageOf({ app, store, known }: Reading, window: Span): ReturnType<ArchiveReader['coverage']> {
  const chains = await readChains(store, app, known)
  const first = oldestId(liveSegments(chains).map(({ segment }) => segment.first))
  const stage = app.pipeline.stage(archive.name)
  const begin = stage && (await missedBefore(app, stage))
  const lacks = [
    ...(begin !== undefined && idMs(begin) > window.fromMs
      ? [`has missed orders that passed ${whileAway(begin)}`]
      : []),
    ...(expiredSegments(chains).some((one) => isIn(one, window)) ? ['has removed orders, after ARCHIVE_DAYS'] : []),
  ]
  return {
    ...(first !== undefined && { archive_from: isoOf(idMs(first)) }),
    ...(lacks.length > 0 && { warning: `The archive ${lacks.join(', and ')}: those of this window stay.` }),
  }
}

const whileAway = (begin: string): string => (begin === maxId ? 'without it' : `before ${isoOf(idMs(begin))}`)

/** Returns the segments that ARCHIVE_DAYS has taken out. */
function expiredSegments(chains: readonly Chain[]): Segment[] {
  const expired = new Set(removalsIn(chains).flatMap((line) => (line.kind === 'expired' ? line.removes : [])))
  return chains
    .flatMap(({ lines }) => lines)
    .flatMap((line) => {
      const segment = line.kind === 'begin' ? undefined : line.segment
      return segment && expired.has(segment.name) ? [segment] : []
    })
}
