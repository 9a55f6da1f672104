import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { type KnownLines, readChains } from '../../reads/archive/chains.ts'
import { readRecords } from '../../reads/archive/records.ts'
import { liveSegments } from '../../reads/archive/segments.ts'
import { flushArchive } from '../../stages/archive/flush.ts'
import type { ArchivedRecord } from '../../stages/archive/record.ts'
import type { ObjectStore } from '../../stages/archive/store/object-store.ts'
import { openStore } from '../../stages/archive/store/store.ts'
import { idMs } from '../../stream-id.ts'

/** The archive as an undo reads it. */
export interface ArchiveReader {
  /** Ends when all that was admitted when it began is in the archive. */
  flush(signal: AbortSignal): Promise<void>
  /**
   * Reads the segments that have records from one time, in ms, to another; without `toMs` to the end. They hold others, too,
   * and come in any order.
   */
  read(fromMs: number, toMs: number | undefined, signal: AbortSignal): AsyncIterable<ArchivedRecord>
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
    [Symbol.dispose]: () => store[Symbol.dispose](),
  }
}

async function flushSoon(app: App, signal: AbortSignal): Promise<void> {
  const soon = AbortSignal.timeout(app.config.jobVerdictMs)
  try {
    await flushArchive(app, AbortSignal.any([signal, soon]))
  } catch (error) {
    if (signal.aborted || !soon.aborted) throw error
    const message = 'The archive has not taken all orders yet: make sure that an archive process runs, then retry.'
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
    if (idMs(segment.last) < fromMs || idMs(segment.first) >= toMs) continue
    signal.throwIfAborted()
    yield* readRecords(store, segment)
  }
}
