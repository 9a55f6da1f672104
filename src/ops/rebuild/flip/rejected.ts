import type { Keys } from '../../../keys.ts'
import { runnerFields, validRecord } from '../../../messages.ts'
import type { InvalidEntry } from '../../../stages/invalid/entry.ts'
import { readOldest } from '../../../stages/invalid/oldest.ts'
import { returningRecord } from '../../../stages/invalid/requeue.ts'
import { decodeEntry } from '../../../stages/runner/entry.ts'
import { idMs, minId } from '../../../stream-id.ts'
import type { Build } from '../feed.ts'
import type { ArchiveStep } from '../open-archive.ts'

/** An order in the invalid channel that a stage has rejected. */
interface Rejected {
  readonly id: string
  readonly keys: Keys
  readonly stage: string
  /** Says which record it is. */
  readonly identity: string
  /** When it was admitted, in ms; undefined of one that an earlier release has written. */
  readonly atMs: number | undefined
}

/** Holds what of the invalid channel stages have rejected. */
export interface HeldRejected {
  /** By stage, the ids of the entries whose order the archive has, or gets from the stream. */
  readonly held: ReadonlyMap<string, ReadonlySet<string>>
  /** How many of these it does not have yet. */
  readonly unwritten: number
  /** Returns how many orders of a stage the archive does not have: a flip counts none of them. */
  absent(keys: Keys, stage: string): number
}

/**
 * Finds in the archive what stages have rejected and the invalid channel holds. What it has yet to
 * write is in the stream. Reads only the segments of the time in which these orders were admitted.
 */
export async function readHeld(build: Build, stages: readonly string[]): Promise<HeldRejected> {
  const left = new Map<string, Rejected>()
  for await (const page of rejectedPages(build, stages)) {
    for (const { entry, stage, record } of page) left.set(entry.id, rejectedOf(entry, stage, record))
  }
  const held = new Map(stages.map((name) => [name, new Set<string>()]))
  const found = (identity: string, entry: string): void => {
    for (const { id, stage, atMs } of byIdentity.get(identity) ?? []) {
      if (atMs !== undefined && atMs !== idMs(entry)) continue
      held.get(stage)?.add(id)
      left.delete(id)
    }
  }
  const byIdentity = Map.groupBy(left.values(), ({ identity }) => identity)
  for await (const { records, span } of left.size > 0 ? build.archive.steps(() => 0) : []) {
    if (!records || !left.values().some(({ atMs }) => isIn(span, atMs))) continue
    await build.alive()
    for await (const record of records) found(identityOf(record), record.entry)
  }
  const unwritten = left.size
  for (const one of [...left.values()]) await findInStream(build, one, found)
  const absent = [...left.values()]
  return {
    held,
    unwritten: unwritten - absent.length,
    absent: (keys, stage) => absent.filter((one) => one.keys === keys && one.stage === stage).length,
  }
}

interface Returning {
  readonly entry: InvalidEntry
  readonly stage: string
  readonly record: object
}

/** Entries per read: some have 1 MB. */
const readCount = 50

/** Yields the entries of the invalid channel that a replay would bring back to these stages. */
export async function* rejectedPages(
  { app }: Pick<Build, 'app'>,
  stages: readonly string[],
): AsyncGenerator<readonly Returning[]> {
  for (let after: string | undefined = minId; after !== undefined; ) {
    const entries: InvalidEntry[] = await readOldest(app.redis, app.partitions, { after, until: '+', count: readCount })
    yield entries.flatMap((entry): Returning[] => {
      const { stage, record } = returningRecord(app, entry) ?? {}
      return stage && record && stages.includes(stage.name) ? [{ entry, stage: stage.name, record }] : []
    })
    after = entries.at(-1)?.id
  }
}

function rejectedOf({ id, keys, record: { order } }: InvalidEntry, stage: string, record: object): Rejected {
  const times = timesIn.safeParse(order?.['times'])
  return { id, keys, stage, identity: identityOf(record), atMs: times.data?.atMs }
}

const timesIn = runnerFields.times

const identityOf = (record: object): string => JSON.stringify(validRecord.parse(record))

const isIn = (span: ArchiveStep['span'], atMs: number | undefined): boolean =>
  span === undefined || atMs === undefined || (idMs(span.first) <= atMs && atMs <= idMs(span.last))

async function findInStream(
  { app, stages }: Build,
  { keys, atMs }: Rejected,
  found: (identity: string, entry: string) => void,
): Promise<void> {
  if (atMs === undefined) return
  const from = stages[0]?.from ?? ''
  const entries = await app.redis.xrangeBuffer(keys.stream(from), atMs, atMs)
  for (const [id, fields] of entries as [Buffer, Buffer[]][]) {
    const { records = [] } = decodeEntry(app.pipeline, id.toString(), fields, from)
    for (const record of records) found(identityOf(record), id.toString())
  }
}
