import { setInterval as every } from 'node:timers/promises'
import type { App, Loop, PartitionScope, Tick } from '../../app.ts'
import { readPauses } from '../../control/pauses.ts'
import type { Objects } from '../../ingest/envelope/objects.ts'
import { openObjects } from '../../ingest/envelope/objects.ts'
import { codeOf, type RejectGroup } from '../../reject-codes.ts'
import { type InvalidEntry, readEntries } from '../../stages/invalid/entry.ts'
import { groupsOf } from '../../stages/invalid/reasons.ts'
import { retriesJob } from '../../stages/invalid/retries.ts'
import { idOfSortable, sortableId, timeMs } from '../../stream-id.ts'
import { sum } from '../../sums.ts'
import { requeueEntries } from './requeue.ts'

/*
 * Retries orders whose code is in RETRY_CODES. Their ids say when they were rejected, and the index of their reason has the
 * ids in order. So an order that was rejected n times is due when its id passes the point in time of RETRY_DELAYS[n - 1]
 * ago: one cursor per delay passes over the index, and takes those that were rejected as often. A cursor is written once
 * the orders before it are requeued. So a kill repeats a page, in which the orders that were taken are gone; any number of
 * processes may pass over the same page, because an order is taken once; and a lost cursor only begins again.
 */

const checkEveryMs = 1_000
/** One process passes in this time: a little shorter than the pause between two checks. */
const turnMs = 900
/** A body may have 1 MB. */
const pageLength = 25
/** Per delay, reason, partition and second. */
const maxPages = 8

/** Returns a loop that retries what is due. Processes take turns. */
export function retryLoop(app: App): Loop {
  return {
    name: 'jobs-retries',
    run: async (tick, signal) => {
      try {
        for await (const _ of every(checkEveryMs, undefined, { signal })) {
          await retryDue(app, tick, signal)
          tick()
        }
      } catch (error) {
        if (!signal.aborted) throw error
      }
    },
  }
}

/** Retries the orders that are due, in the process whose turn it is. @throws while Redis or S3 does not answer */
export async function retryDue(app: App, tick: Tick, signal: AbortSignal): Promise<void> {
  const { redis, control, config, partitions, instance } = app
  const groups = config.retryDelays.length === 0 ? [] : config.retryCodes.flatMap((code) => groupsOf(code))
  if (groups.length === 0) return
  if ((await redis.set(control.retriesTurn, instance, 'PX', turnMs, 'NX')) === null) return
  const lengths = partitions.map(async (keys) => {
    return sum(await Promise.all(groups.map((group) => redis.zcard(keys.invalidGroup(group)))))
  })
  const waiting = await Promise.all(lengths)
  if (sum(waiting) === 0 || (await standsStill(app))) return
  const now = timeMs(await redis.time())
  using objects = openObjects(app)
  for (const [at, keys] of partitions.entries()) {
    if (waiting[at] === 0) continue
    await retryIn({ ...app, keys }, { groups, now, objects }, signal)
    tick()
  }
}

/**
 * Returns true while the bridge or the first stage is paused: then the orders that a correction waits for do not come, and its
 * retries would be used up. A repartition pauses the bridge first.
 */
async function standsStill({ redis, control, pipeline }: App): Promise<boolean> {
  const pauses = await readPauses(redis, control)
  return 'bridge' in pauses || pipeline.first.name in pauses
}

interface Pass {
  readonly groups: readonly RejectGroup[]
  /** By Redis' clock, which made the ids. */
  readonly now: number
  readonly objects: Objects
}

async function retryIn(scope: PartitionScope, { groups, now, objects }: Pass, signal: AbortSignal): Promise<void> {
  const { redis, keys, config, telemetry } = scope
  const cursors = await redis.hgetall(keys.retries)
  for (const group of groups) {
    for (const [at, delay] of config.retryDelays.entries()) {
      const cursor = `${group} ${at + 1}`
      let after = cursors[cursor]
      for (let page = 0, read = pageLength; page < maxPages && read === pageLength; page++) {
        signal.throwIfAborted()
        const ids = await idsUntil(scope, group, { after, until: now - delay })
        read = ids.length
        after = ids.at(-1)
        if (after === undefined) break
        const due = (await readEntries(redis, keys, ids)).filter((entry) => isDue(entry, at + 1))
        const options = { jobId: retriesJob, limit: Number.MAX_SAFE_INTEGER }
        const orders = await requeueEntries(scope, due, options, { objects, jobId: retriesJob, signal })
        if (orders > 0) telemetry.emit('retried', { code: codeOf(group), attempts: at + 1, orders })
        await redis.hset(keys.retries, cursor, after)
      }
    }
  }
}

async function idsUntil(
  { redis, keys }: PartitionScope,
  group: RejectGroup,
  { after, until }: { after: string | undefined; until: number },
): Promise<string[]> {
  const from = after === undefined ? '-' : `(${sortableId(after)}`
  const to = `(${sortableId(`${Math.max(0, until + 1)}`)}`
  const members = await redis.zrangebylex(keys.invalidGroup(group), from, to, 'LIMIT', 0, pageLength)
  return members.map(idOfSortable)
}

const isDue = ({ record: { attempts = 1, stage }, text }: InvalidEntry, times: number): boolean =>
  attempts === times && stage === undefined && text !== undefined
