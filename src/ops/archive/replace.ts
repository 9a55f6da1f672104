import { randomBytes } from 'node:crypto'
import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { type KnownLines, readChains } from '../../reads/archive/chains.ts'
import { type LiveSegment, liveSegments, lostSegments, namedObjects, removalsIn } from '../../reads/archive/segments.ts'
import { redisClock } from '../../redis/clock.ts'
import { append, commitWithinMs } from '../../stages/archive/append.ts'
import { openChain, storeLines } from '../../stages/archive/lines.ts'
import { lineName, partitionName, type Segment, segmentName, sha256 } from '../../stages/archive/manifest.ts'
import type { ArchivedRecord } from '../../stages/archive/record.ts'
import { openPacking } from '../../stages/archive/segment/pack.ts'
import type { ObjectStore } from '../../stages/archive/store/object-store.ts'
import { readObject } from '../../stages/archive/store/store.ts'

/** Takes the place of a segment. */
export interface Replacement {
  readonly kind: 'erased' | 'expired'
  /** Names the receipt of an erasure. */
  readonly receipt?: string
  /** The records of the new segment, in their order; undefined to leave none in its place. */
  readonly records?: AsyncIterable<ArchivedRecord> | undefined
}

/**
 * Takes a segment out of the manifest, and puts another one in its place. The line is appended in one step; the old object is
 * deleted once the store has the line, so that no failover of Redis brings it back. Killed in between, `sweep` deletes it.
 * @param known pass the same map to repeated calls: lines that it has are not read again
 * @returns the new segment; undefined if there is none
 * @throws OrdersError ORD_ARCHIVE if a line has taken the segment out: read the chains again
 */
export async function replaceSegment(
  app: Pick<App, 'redis' | 'partitions' | 'pipeline'>,
  store: ObjectStore,
  { segment: old, chain, partition }: LiveSegment,
  { kind, receipt, records }: Replacement,
  known: KnownLines = new Map(),
): Promise<Segment | undefined> {
  const untilMs = (await redisClock(app.redis).now()).getTime() + commitWithinMs
  const segment = records && (await putRecords(store, old, partition, records))
  const content = { kind, removes: old.name, ...(segment && { segment }), ...(receipt !== undefined && { receipt }) }
  // A chain that has ended takes no more lines: the first partition has them, so that two processes cannot differ.
  const keys = app.partitions.find((one) => partitionName(one) === partition) ?? app.partitions[0]
  if (!keys) throw new Error('There are no partitions.')
  const scope = { ...app, keys }
  for (;;) {
    await storeAllLines(app, store)
    const own = await openChain(scope, store)
    const target = own.chain === chain ? scope : { ...app, keys: app.partitions[0] ?? keys }
    const head = own.chain === chain ? own : await openChain(target, store)
    const chains = await readChains(store, app, known)
    const isOurs = ({ removes, segment: by }: { removes: string; segment?: Segment | undefined }): boolean =>
      removes === old.name && by?.name === segment?.name
    if (removalsIn(chains).some(isOurs)) {
      // By a try whose reply was lost. What Redis alone has is stored first.
      if (namedObjects(chains).removed.has(old.name)) break
      continue
    }
    const kept = [...liveSegments(chains), ...lostSegments(chains)]
    if (!kept.some((one) => one.segment.name === old.name)) throw goneError(old)
    if (!chains.some((one) => one.chain === head.chain && one.head === head.head)) continue
    const reply = await append(target, head, { content, untilMs })
    if (reply.status === 'late') throw lateError(old)
    if (reply.status !== 'appended') continue
    await storeLines(target, store)
    if (await readObject(store, lineName(partitionName(target.keys), reply.head))) break // else Redis has lost it
  }
  await store.delete(old.name)
  return segment
}

/** Writes the lines of all partitions that Redis alone has into the store. */
export async function storeAllLines(
  app: Pick<App, 'redis' | 'partitions' | 'pipeline'>,
  store: ObjectStore,
): Promise<void> {
  for (const keys of app.partitions) await storeLines({ ...app, keys }, store)
}

const goneError = ({ name }: Segment): OrdersError =>
  new OrdersError('ORD_ARCHIVE', `The segment ${name} was taken out meanwhile.`, { details: { gone: name } })

const lateError = ({ name }: Segment): OrdersError =>
  new OrdersError('ORD_ARCHIVE', `The segment ${name} was written again more than an hour ago: run this once more.`)

/** Returns false for the error of a segment that another process has taken out meanwhile. @throws every other error */
export function unlessGone(error: unknown): false {
  if (error instanceof OrdersError && error.details?.['gone'] !== undefined) return false
  throw error
}

async function putRecords(
  store: Pick<ObjectStore, 'put'>,
  { first, last, entries, orders }: Segment,
  partition: string,
  all: AsyncIterable<ArchivedRecord>,
): Promise<Segment> {
  const packing = openPacking()
  let records = 0
  for await (const { entry, at, sent, ...rest } of all) {
    await packing.add([JSON.stringify({ entry, at, sent, ...rest })])
    records += 1
  }
  const body = await packing.end()
  const name = segmentName(partition, first, last, randomBytes(4).toString('hex'))
  await store.put(name, body)
  return { name, first, last, entries, orders, records, bytes: body.length, sha256: sha256(body) }
}
