import { setTimeout as sleep } from 'node:timers/promises'
import { OrdersError } from '../../../errors.ts'
import type { Keys } from '../../../keys.ts'
import type { Stage } from '../../../stages/placed.ts'
import { decodeEntry, type Entry, recordTimes } from '../../../stages/runner/entry.ts'
import type { Amounts } from '../../../stages/runner/merge.ts'
import { asCounted, type Build } from '../feed.ts'
import { addAmounts, planRecords, type Timed } from '../plan.ts'
import type { Pairs, Returned } from './read-pairs.ts'

/** Says what a stage makes of entries that it has and the archive does not have yet, or the other way around. */
export interface LoneEntries {
  /** By shadow key and field: what the live keys have more than the shadows. */
  readonly amounts: ReadonlyMap<string, ReadonlyMap<string, number>>
  /** Sets the entries. @returns false if one has left the stream meanwhile: read again */
  set(lone: Pairs['lone']): Promise<boolean>
}

interface Lone {
  readonly stage: Stage
  readonly id: string
  readonly times: 1 | -1
}

interface Known {
  readonly stage: Stage
  readonly times: 1 | -1
  readonly amounts: Amounts
}

/** Opens the lone entries of a partition. Between two reads few of them change. */
export function openLoneEntries(build: Build, keys: Keys): LoneEntries {
  const amounts: Amounts = new Map()
  const known = new Map<string, Known>()
  const shadow = build.shadows.get(keys) ?? keys
  return {
    amounts,
    set: async (lone) => {
      const wanted = new Map(
        lone.flatMap(({ stage, ids, times }) =>
          ids.map((id): [string, Lone] => [`${stage.name} ${times} ${id}`, { stage, id, times }]),
        ),
      )
      for (const [name, { times, amounts: own }] of known) {
        if (wanted.has(name)) continue
        addAmounts(amounts, own, times === 1 ? -1 : 1)
        known.delete(name)
      }
      const fresh = [...wanted].filter(([name]) => !known.has(name))
      const entries = await readEntries(build, keys, [...new Set(fresh.map(([, { id }]) => id))])
      for (const [name, { stage, id, times }] of fresh) {
        const entry = entries.get(id)
        if (!entry) return false
        const own = planRecords(
          { ...build, stages: [stage] },
          shadow,
          timedRecords(build, keys, entry, { stage, times }),
        ).hashes
        addAmounts(amounts, own, times)
        known.set(name, { stage, times, amounts: own })
      }
      return true
    },
  }
}

/** Entries per read: some have 1 MB. */
const readCount = 50

async function readEntries({ app, stages }: Build, keys: Keys, ids: readonly string[]): Promise<Map<string, Entry>> {
  const from = stages[0]?.from ?? ''
  const entries = new Map<string, Entry>()
  for (let at = 0; at < ids.length; at += readCount) {
    const reads = ids
      .slice(at, at + readCount)
      .map((id) => app.redis.xrangeBuffer(keys.stream(from), id, id) as Promise<[Buffer, Buffer[]][]>)
    for (const [found] of await Promise.all(reads)) {
      if (!found) continue
      const entry = decodeEntry(app.pipeline, found[0].toString(), found[1], from)
      entries.set(entry.id, entry)
    }
  }
  return entries
}

/**
 * Finds the entries for one stage alone that the stream holds. One that comes later, by a replay, refuses the flip of what is
 * compared now (see requeue.lua).
 */
export async function readReturned({ app, stages, alive }: Build, keys: Keys): Promise<Returned[]> {
  const from = stages[0]?.from ?? ''
  const returned: Returned[] = []
  for (let after = '-'; ; ) {
    await alive()
    const found = await app.redis.xrangeBuffer(keys.stream(from), after, '+', 'COUNT', readCount)
    for (const [id, fields] of found as [Buffer, Buffer[]][]) {
      const { group } = decodeEntry(app.pipeline, id.toString(), fields, from)
      const stage = stages.find(({ name }) => name === group)
      if (stage) returned.push({ stage, id: id.toString() })
      after = `(${id}`
    }
    if (found.length < readCount) return returned
  }
}

/**
 * An entry for one stage alone brings back what it had rejected. The shadow has that from the entry in which it came first. So
 * the stage lacks it until it has committed this one, and nothing more after that.
 */
function timedRecords(build: Build, keys: Keys, entry: Entry, { stage, times }: Omit<Lone, 'id'>): Timed[] {
  const { records = [], group, id } = entry
  if (group !== undefined && (group !== stage.name || times === 1)) return []
  const timesOf = recordTimes(entry)
  return records.map((record) => ({ record: asCounted(build, keys, record), entry: id, times: timesOf(record) }))
}

/** Reads until the archive and the stream agree: lines are added and entries trimmed while all stages work. */
export async function untilAligned(attempt: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < maxTries; tries++) {
    if (await attempt()) return
    await sleep(retryMs)
  }
  throw new OrdersError(
    'ORD_BOOKS',
    'Entries of the stream of admitted orders were deleted before the archive had them, or it cannot keep up: see orders status.',
  )
}

const maxTries = 200
/** A stage commits within some ms. */
const retryMs = 50
