import type { App } from '../../app.ts'
import { partitionFor, userHash } from '../../partitions.ts'
import { type KnownLines, readChains } from '../../reads/archive/chains.ts'
import { isNoSegment, readRecords, recordsIn } from '../../reads/archive/records.ts'
import { type LiveSegment, liveSegments, lostSegments, namedObjects } from '../../reads/archive/segments.ts'
import { segmentPrefix } from '../../stages/archive/manifest.ts'
import type { ArchivedRecord } from '../../stages/archive/record.ts'
import { requireSameArchive } from '../../stages/archive/same-archive.ts'
import { isUnfinished } from '../../stages/archive/store/file.ts'
import type { ObjectStore } from '../../stages/archive/store/object-store.ts'
import { openStore } from '../../stages/archive/store/store.ts'
import { userDigest, withoutUser } from '../../stages/erasure/erasures.ts'
import type { Place } from '../../stages/erasure/place.ts'
import { replaceSegment, storeAllLines, unlessGone } from '../archive/replace.ts'

/**
 * Finds segments of the archive with records of the user. Another segment takes the place of each, in which the records are the
 * anonymous account's, without their bodies: so a rebuild has the same sums. So it does of those whose lines Redis has lost: they
 * have records of others, and may count again. Objects that no line names are deleted, such as those that a killed process has
 * left. Call it once no entry of the stages names the user, as another segment may come up until then.
 * @throws OrdersError ORD_ARCHIVE if this is not the archive that Redis goes on with
 */
export const archivePlace: Place = async function* ({ app, userId }) {
  using store = await openStore(app.config)
  await requireSameArchive(app, store)
  const known: KnownLines = new Map()
  for (const live of await keptSegments(app, store, known)) {
    if (!mayHave(live.partition, userId)) continue
    const found = hasUser(readRecords(store, live.segment), userId)
    if (!(await found.catch(live.isLost ? unlessNoSegment(false) : undefined))) continue
    const remove = async (): Promise<boolean> => {
      const records = withoutRecordsOf(app, userId, readRecords(store, live.segment))
      const why = { kind: 'erased', receipt: userDigest(userId), records } as const
      return replaceSegment(app, store, live, why, known).then(() => true, unlessGone) // else the next search finds what took its place
    }
    yield { record: live.segment.name, remove }
  }
  await storeAllLines(app, store) // else what these take out is still needed
  const { needed, removed, named } = namedObjects(await readChains(store, app, known))
  for await (const { name } of store.list(segmentPrefix)) {
    // One that cannot be read whole may name the user in the rest. A live process writes it again if it misses it.
    const isRest = removed.has(name) || isUnfinished(name)
    if (needed.has(name) || (named.has(name) && !removed.has(name))) continue
    if (!(await hasUser(recordsIn(store, name), userId).catch(unlessNoSegment(isRest)))) continue
    yield { record: name, remove: () => store.delete(name).then(() => true) }
  }
}

async function keptSegments(
  app: App,
  store: ObjectStore,
  known: KnownLines,
): Promise<(LiveSegment & { readonly isLost: boolean })[]> {
  const chains = await readChains(store, app, known)
  const [live, lost] = [liveSegments(chains), lostSegments(chains)]
  return [...live.map((one) => ({ ...one, isLost: false })), ...lost.map((one) => ({ ...one, isLost: true }))]
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
