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
 * Finds in the archive what stages have rejected and the invalid channel holds. Reads only the segments of the time in which
 * these orders were admitted. What is in none that was built is counted from the stream, which is looked at first: an entry
 * leaves it only for the archive.
 */
export async function readHeld(build: Build, stages: readonly string[]): Promise<HeldRejected> {
  const all: Rejected[] = []
  for await (const page of rejectedPages(build, stages)) {
    for (const { entry, stage, record } of page) all.push(rejectedOf(entry, stage, record))
  }
  const [written, unwritten] = [new Set<Rejected>(), new Set<Rejected>()]
  const byIdentity = Map.groupBy(all, ({ identity }) => identity)
  const find = (to: Set<Rejected>, record: object, entry: string): void => {
    for (const one of byIdentity.get(identityOf(record)) ?? [])
      if (one.atMs === undefined || one.atMs === idMs(entry)) to.add(one)
  }
  for (const one of all) for (const { record, id } of await streamAt(build, one)) find(unwritten, record, id)
  for await (const { chain, seq, records, span } of all.length > 0 ? build.archive.steps(() => 0) : []) {
    if (!records || !all.some((one) => !written.has(one) && isIn(span, one.atMs))) continue
    await build.alive()
    const to = seq <= (build.run.lines.get(chain) ?? 0) ? written : unwritten
    for await (const record of records) find(to, record, record.entry)
  }
  const found = written.union(unwritten)
  return {
    held: new Map(
      stages.map((name) => [name, new Set([...found].filter(({ stage }) => stage === name).map(({ id }) => id))]),
    ),
    unwritten: found.size - written.size,
    absent: (keys, stage) => all.filter((one) => !found.has(one) && one.keys === keys && one.stage === stage).length,
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
  const times = timesIn.safeParse(order?.['runner_times'])
  return { id, keys, stage, identity: identityOf(record), atMs: times.data?.atMs }
}

const timesIn = runnerFields.runner_times

const identityOf = (record: object): string => JSON.stringify(validRecord.parse(record))

const isIn = (span: ArchiveStep['span'], atMs: number | undefined): boolean =>
  span === undefined || atMs === undefined || (idMs(span.first) <= atMs && atMs <= idMs(span.last))

/** Reads the records that the stream holds of the ms in which an order was admitted. */
async function streamAt({ app, stages }: Build, { keys, atMs }: Rejected): Promise<{ id: string; record: object }[]> {
  if (atMs === undefined) return []
  const from = stages[0]?.from ?? ''
  const entries = await app.redis.xrangeBuffer(keys.stream(from), atMs, atMs)
  return (entries as [Buffer, Buffer[]][]).flatMap(([buffer, fields]) => {
    const id = buffer.toString()
    const { records = [] } = decodeEntry(app.pipeline, id, fields, from)
    return records.map((record) => ({ id, record }))
  })
}
