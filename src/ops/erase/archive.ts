import type { App } from '../../app.ts'
import { openDurable } from '../../ingest/proof/durable.ts'
import { partitionFor, userHash } from '../../partitions.ts'
import { type KnownLines, liveSegments, readChains, removedNames } from '../../reads/archive/chains.ts'
import { isNoSegment, readRecords, recordsIn } from '../../reads/archive/records.ts'
import { segmentPrefix } from '../../stages/archive/manifest.ts'
import type { ArchivedRecord } from '../../stages/archive/record.ts'
import { isUnfinished } from '../../stages/archive/store/file.ts'
import { openStore } from '../../stages/archive/store/store.ts'
import { userDigest, withoutUser } from '../../stages/erasure/erasures.ts'
import type { Place } from '../../stages/erasure/place.ts'
import { isGone, replaceSegment } from '../archive/replace.ts'
import { requireSame } from '../archive/same-archive.ts'

/**
 * Finds segments of the archive with records of the user. Another segment takes the place of each, in which the records are the
 * anonymous account's, without their bodies: so a rebuild has the same sums. Objects that do not count are deleted once the
 * lines of the manifest are durable: those that were replaced, and those that a killed process has left. Call it once no entry
 * of the stages names the user, as another segment may come up until then.
 * @throws OrdersError ORD_ARCHIVE if this is not the archive that Redis goes on with
 */
export const archivePlace: Place = async function* ({ app, userId }, signal = new AbortController().signal) {
  using store = await openStore(app.config)
  await requireSame(app, store)
  using durable = await openDurable(app, signal)
  const known: KnownLines = new Map()
  const chains = await readChains(store, app, known)
  let replaced = 0
  for (const live of liveSegments(chains)) {
    if (!mayHave(live.partition, userId) || !(await hasUser(readRecords(store, live.segment), userId))) continue
    const remove = async (): Promise<boolean> => {
      const records = withoutRecordsOf(app, userId, readRecords(store, live.segment))
      const why = { kind: 'erased', receipt: userDigest(userId), records, keepsObject: true } as const
      replaced += 1
      return replaceSegment(app, store, live, why, known).then(() => true, unlessGone)
    }
    yield { record: live.segment.name, remove }
  }
  if (replaced > 0) await durable.confirm() // a failover that loses a line brings its old segment back
  const counting = replaced > 0 ? await readChains(store, app, known) : chains
  const names = new Set(liveSegments(counting).map(({ segment }) => segment.name))
  const removed = new Set(removedNames(counting))
  for await (const { name } of store.list(segmentPrefix)) {
    // One that cannot be read whole may name the user in the rest. A live process writes it again if it misses it.
    const isRest = removed.has(name) || isUnfinished(name)
    if (names.has(name) || !(await hasUser(recordsIn(store, name), userId).catch(unlessNoSegment(isRest)))) continue
    yield { record: name, remove: () => store.delete(name).then(() => true) }
  }
}

/** It was replaced meanwhile: the next search finds what took its place. */
function unlessGone(error: unknown): boolean {
  if (isGone(error)) return false
  throw error
}

/** Returns whether a user may be in a partition: all of one are in the partition of their hash. */
function mayHave(partition: string, userId: string): boolean {
  const [, at, count] = /^(\d+)of(\d+)$/.exec(partition) ?? []
  return at === undefined || userHash(userId) % Number(count) === Number(at)
}

async function hasUser(records: AsyncIterable<ArchivedRecord>, userId: string): Promise<boolean> {
  for await (const { user_id } of records) if (user_id === userId) return true
  return false
}

/** Returns a handler that takes an object that cannot be read as a segment for this. What the store has failed at is thrown. */
const unlessNoSegment =
  (taken: boolean) =>
  (error: unknown): boolean => {
    if (isNoSegment(error)) return taken
    throw error
  }

async function* withoutRecordsOf(
  app: App,
  userId: string,
  records: AsyncIterable<ArchivedRecord>,
): AsyncGenerator<ArchivedRecord> {
  const keys = partitionFor(app.partitions, userId)
  for await (const record of records) yield record.user_id === userId ? withoutUser(record, keys) : record
}
