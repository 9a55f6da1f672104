import { createHash, randomBytes } from 'node:crypto'
import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { type Chain, type KnownLines, type LiveSegment, liveSegments, readChains } from '../../reads/archive/chains.ts'
import { append } from '../../stages/archive/append.ts'
import { openChain, storeLines } from '../../stages/archive/lines.ts'
import { partitionName, type ReplacingLine, type Segment, segmentName } from '../../stages/archive/manifest.ts'
import { openPacking } from '../../stages/archive/pack.ts'
import type { ArchivedRecord } from '../../stages/archive/record.ts'
import type { Store } from '../../stages/archive/store/store.ts'

/** Takes the place of a segment. */
export interface Replacement {
  readonly kind: 'erased' | 'expired'
  /** Names the receipt of an erasure. */
  readonly receipt?: string
  /** The records of the new segment, in their order; undefined to leave none in its place. */
  readonly records?: AsyncIterable<ArchivedRecord> | undefined
  /** True to leave the old object there: the caller deletes it once the line is durable. */
  readonly keepsObject?: true
}

/**
 * Takes a segment out of the manifest, and puts another one in its place. The line is appended in one step; the old object is
 * deleted after the store has the line. Killed in between, `sweep` deletes it.
 * @param known pass the same map to repeated calls: lines that it has are not read again
 * @returns the new segment; undefined if there is none
 * @throws OrdersError ORD_ARCHIVE if the segment does not count any more: read the chains again
 */
export async function replaceSegment(
  app: Pick<App, 'redis' | 'partitions' | 'pipeline'>,
  store: Store,
  { segment: old, chain, partition }: LiveSegment,
  { kind, receipt, records, keepsObject }: Replacement,
  known: KnownLines = new Map(),
): Promise<Segment | undefined> {
  const segment = records && (await putRecords(store, old, partition, records))
  const content = { kind, removes: old.name, ...(segment && { segment }), ...(receipt !== undefined && { receipt }) }
  // A chain that has ended takes no more lines: the first partition has them, so that two processes cannot differ.
  const keys = app.partitions.find((one) => partitionName(one) === partition) ?? app.partitions[0]
  if (!keys) throw new Error('There are no partitions.')
  const scope = { ...app, keys }
  for (;;) {
    const own = await openChain(scope, store)
    const target = own.chain === chain ? scope : { ...app, keys: app.partitions[0] ?? keys }
    const head = own.chain === chain ? own : await openChain(target, store)
    const chains = await readChains(store, app, known)
    const isDone = hasLine(chains, content) // by a try whose reply was lost
    if (!isDone && !liveSegments(chains).some((one) => one.segment.name === old.name)) throw goneError(old)
    const isCurrent = chains.some((one) => one.chain === head.chain && one.head === head.head)
    if (!isDone && !isCurrent) continue
    if (!isDone && (await append(target, head, { content })).status !== 'appended') continue
    await storeLines(target, store)
    if (!keepsObject) await store.delete(old.name)
    return segment
  }
}

const goneError = ({ name }: Segment): OrdersError =>
  new OrdersError('ORD_ARCHIVE', `The segment ${name} does not count any more.`, { details: { gone: name } })

/** Returns whether replaceSegment has failed because the segment does not count any more. */
export const isGone = (error: unknown): boolean => error instanceof OrdersError && error.details?.['gone'] !== undefined

function hasLine(chains: readonly Chain[], { removes, receipt, segment }: ReplacingLine): boolean {
  return chains.some(({ lines }) =>
    lines.some(
      (line) =>
        (line.kind === 'erased' || line.kind === 'expired') &&
        line.removes === removes &&
        line.receipt === receipt &&
        line.segment?.name === segment?.name,
    ),
  )
}

async function putRecords(
  store: Pick<Store, 'put'>,
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
  const sha256 = createHash('sha256').update(body).digest('hex')
  return { name, first, last, entries, orders, records, bytes: body.length, sha256 }
}
