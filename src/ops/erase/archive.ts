import type { App } from '../../app.ts'
import { openDurable } from '../../ingest/proof/durable.ts'
import { partitionFor, userHash } from '../../partitions.ts'
import { type KnownLines, liveSegments, readChains } from '../../reads/archive/chains.ts'
import { readRecords } from '../../reads/archive/records.ts'
import { type Segment, segmentPrefix } from '../../stages/archive/manifest.ts'
import type { ArchivedRecord } from '../../stages/archive/record.ts'
import { openStore, type Store } from '../../stages/archive/store/store.ts'
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
    if (!mayHave(live.partition, userId) || !(await has(store, live.segment, userId))) continue
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
  for await (const { name } of store.list(segmentPrefix)) {
    if (names.has(name) || !(await hasAnyhow(store, name, userId))) continue
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

async function has(store: Store, segment: Segment, userId: string): Promise<boolean> {
  for await (const { user_id } of readRecords(store, segment)) if (user_id === userId) return true
  return false
}

/** The same of an object that no line describes. One that cannot be read was not written to its end. */
const hasAnyhow = (store: Store, name: string, userId: string): Promise<boolean> =>
  has(store, { name, first: '', last: '', entries: 0, orders: 0, records: 0, bytes: 0, sha256: '' }, userId).catch(
    () => false,
  )

async function* withoutRecordsOf(
  app: App,
  userId: string,
  records: AsyncIterable<ArchivedRecord>,
): AsyncGenerator<ArchivedRecord> {
  const keys = partitionFor(app.partitions, userId)
  for await (const record of records) yield record.user_id === userId ? withoutUser(record, keys) : record
}
