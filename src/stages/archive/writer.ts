import { randomBytes } from 'node:crypto'
import { setInterval as every } from 'node:timers/promises'
import type { PartitionScope } from '../../app.ts'
import { unwrapReplies } from '../../redis/client.ts'
import { redisClock } from '../../redis/clock.ts'
import { compareIds, minId } from '../../stream-id.ts'
import type { Consumer } from '../runner/consume.ts'
import type { Entry } from '../runner/entry.ts'
import { append, commitWithinMs } from './append.ts'
import { openChain, storeLines } from './lines.ts'
import { partitionName, type Segment, segmentName, sha256 } from './manifest.ts'
import type { Patiently } from './patience.ts'
import { type EndedSegment, type OpenSegment, openSegment } from './segment/open-segment.ts'
import type { ObjectStore } from './store/object-store.ts'

/** Writes the entries of one consumer into segments. */
export interface Writer extends AsyncDisposable {
  add(entries: readonly Entry[]): Promise<void>
  /** True if the segment is large or old enough, or a flush asks for it. @param idle no more entries wait */
  isDue(idle: boolean): Promise<boolean>
  /** Commits the open segment, if there is one. */
  cut(): Promise<void>
}

interface Writing {
  readonly scope: PartitionScope
  readonly consumer: Consumer
  readonly store: ObjectStore
  readonly patiently: Patiently
  /** Resolves when all that was written to the partition is durable. */
  confirm(): Promise<void>
}

/** 5,000: acknowledging them takes Redis some 10 ms. */
const maxEntries = 5_000
/** Part of HIGH_WATER_ORDERS that the open segments of all partitions may hold together: their orders count as waiting. */
const shareOfHighWater = 1 / 4

/**
 * Opens a writer. The entries of its open segment stay pending, so it renews them: another consumer would claim them. It stops
 * to when it is disposed.
 */
export function openWriter(writing: Writing): Writer {
  const { scope, consumer } = writing
  const { config, redis, keys } = scope
  const maxOrders = Math.max(1, (shareOfHighWater * config.highWaterOrders) / scope.partitions.length)
  let open: OpenSegment | undefined
  let cutting: readonly string[] = []
  const renewing = renew(scope, consumer, () => [...(open?.ids ?? []), ...cutting])
  const commit = committer(writing)
  return {
    add: async (entries) => {
      if (entries.length === 0) return
      open ??= openSegment(consumer.stage.name)
      await open.add(entries)
    },
    isDue: async (idle) => {
      if (!open) return false
      if (open.bytes >= config.archiveSegmentMb * 1_000_000 || open.ageMs >= config.archiveSegmentSeconds * 1_000)
        return true
      if (open.orders >= maxOrders || open.ids.size >= maxEntries) return true
      const flush = (await redis.get(keys.archiveFlush)) ?? minId
      return compareIds(open.first, flush) <= 0 && (idle || compareIds(open.last, flush) >= 0)
    },
    cut: async () => {
      if (!open) return
      const from = performance.now()
      const ended = open.end()
      cutting = [...open.ids]
      open = undefined
      try {
        await commit(await ended, from)
      } finally {
        cutting = []
      }
    },
    [Symbol.asyncDispose]: () => renewing[Symbol.asyncDispose](),
  }
}

/** Names sent in one command. */
const renewedAtOnce = 500

/** Renews pending entries three times before another consumer may claim them. */
function renew(
  { redis, config }: PartitionScope,
  { stream, stage, name }: Consumer,
  held: () => readonly string[],
): AsyncDisposable {
  const stop = new AbortController()
  const run = async (): Promise<void> => {
    for await (const _ of every(config.claimIdleMs / 3, undefined, { signal: stop.signal })) {
      const ids = held()
      const calls = redis.pipeline()
      for (let at = 0; at < ids.length; at += renewedAtOnce)
        calls.xclaim(stream, stage.name, name, 0, ...ids.slice(at, at + renewedAtOnce), 'JUSTID')
      if (ids.length > 0)
        await calls
          .exec()
          .then(unwrapReplies)
          .catch(() => {}) // the next one may succeed
    }
  }
  const ended = run().catch(() => {}) // it was stopped
  return {
    [Symbol.asyncDispose]: () => {
      stop.abort()
      return ended
    },
  }
}

/** Returns a function that uploads a segment and then commits it. */
function committer({ scope, consumer, store, patiently, confirm }: Writing) {
  const { redis, keys, telemetry } = scope
  const clock = redisClock(redis)
  let durable = ''
  const upload = async ({ body, first, last, ids, orders, records }: EndedSegment) => {
    const untilMs = (await clock.now()).getTime() + commitWithinMs
    const name = segmentName(partitionName(keys), first, last, randomBytes(4).toString('hex'))
    await patiently((signal) => store.put(name, body, signal))
    const counts = { entries: ids.length, orders, records, bytes: body.length }
    return { untilMs, segment: { name, first, last, ...counts, sha256: sha256(body) } }
  }
  return async (ended: EndedSegment, from: number): Promise<void> => {
    const { ids, found } = ended
    let uploaded: Awaited<ReturnType<typeof upload>> | undefined
    for (;;) {
      const head = await patiently((signal) => openChain(scope, store, signal))
      if (head.chain !== durable) await confirm()
      durable = head.chain // a chain that Redis has lost whole would count, although its orders come again
      uploaded ??= await upload(ended)
      const { segment, untilMs } = uploaded
      const reply = await append(scope, head, {
        ...{ content: { kind: 'segment', segment }, ids, consumer: consumer.name, found, untilMs },
      })
      if (reply.status === 'late') uploaded = undefined
      if (reply.status === 'late' || reply.status === 'head') continue
      if (reply.status === 'appended') report(segment, performance.now() - from)
      else {
        telemetry.emit('stale', { stage: consumer.stage.name, planned: ids.length, held: reply.held.length })
        if (reply.again > 0) telemetry.emit('recommitRefused', { stage: consumer.stage.name, entries: reply.again })
        // The object stays until it is swept: where a reply was lost, this is the second try of a commit that has succeeded.
      }
      return patiently((signal) => storeLines(scope, store, signal)) // entries that are still pending are claimed again
    }
  }
  function report({ name, first, last, entries, orders, bytes }: Segment, durationMs: number): void {
    const { partition } = keys
    telemetry.emit('segmentCut', { partition, name, orders, bytes, durationMs })
    telemetry.emit('committed', {
      ...{ stage: consumer.stage.name, partition, entries, firstEntryId: first, lastEntryId: last },
      ...{ passed: orders, duplicates: 0, rejected: 0, durationMs },
    })
  }
}
