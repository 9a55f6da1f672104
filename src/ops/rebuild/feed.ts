import type { App } from '../../app.ts'
import { type Keys, shadowKeys } from '../../keys.ts'
import { partitionFor } from '../../partitions.ts'
import { archivedTimes } from '../../stages/archive/record.ts'
import { anonymous, type Erasures, noErasures } from '../../stages/erasure/erasures.ts'
import { idMs } from '../../stream-id.ts'
import { allBatches, applyBatch, positionOf } from './apply.ts'
import type { Archive, ArchiveStep, PastRecord } from './open-archive.ts'
import { type Planning, planRecords, type Timed } from './plan.ts'
import { type Run, runIsGone } from './progress.ts'

/** Names what is built, by which run. */
export interface Build extends Planning {
  readonly app: App
  readonly archive: Archive
  readonly run: Run
  /** Only records of entries up to this time, in ms, count. */
  readonly untilMs: number
  /** By partition. */
  readonly shadows: ReadonlyMap<Keys, Keys>
  /** By partition, the users whose records count for an anonymous account. None is erased while this runs. */
  readonly erasures: ReadonlyMap<Keys, Erasures>
  /** Called before each write. @throws if this process must stop */
  alive(): Promise<void>
  /** Called with the number of records that were read so far. */
  read(records: number): void
}

export const shadowsOf = ({ partitions }: Pick<App, 'partitions'>, run: string): Map<Keys, Keys> =>
  new Map(partitions.map((keys) => [keys, shadowKeys(keys, run)]))

/** 1,000: the three keys of each make fewer arguments than a request may have. One takes Redis some 4 ms. */
const batchRecords = 1_000

/**
 * Adds all records of the archive that are not in the shadows yet. Each batch and its position are written in one step, so
 * that none is added twice, whatever is killed. While Redis adds a batch, the next one is read.
 * @returns how many records were read
 */
export async function feed(build: Build): Promise<number> {
  const { archive, run } = build
  let count = 0
  let adding = Promise.resolve()
  const add = async (step: ArchiveStep, batches: number, records: readonly PastRecord[]): Promise<void> => {
    await adding
    await build.alive()
    adding = addBatch(build, step, positionOf(step.seq, batches), records)
    adding.catch(() => {}) // thrown when it is awaited
    count += records.length
    build.read(count)
  }
  try {
    for await (const step of archive.steps((chain) => run.lines.get(chain) ?? 0)) {
      let [batch, batches]: [PastRecord[], number] = [[], 0]
      for await (const record of step.records ?? []) {
        if (idMs(record.entry) > build.untilMs) continue
        if (batch.push(record) < batchRecords) continue
        await add(step, ++batches, batch)
        batch = []
      }
      await add(step, allBatches, batch)
      await adding
      run.lines.set(step.chain, step.seq)
    }
  } finally {
    await adding
  }
  return count
}

/** Adds records to the shadows of their partitions. The end of a line is written in all of them. */
async function addBatch(
  build: Build,
  { chain }: ArchiveStep,
  position: string,
  records: readonly PastRecord[],
): Promise<void> {
  const { app, run, shadows } = build
  const own = Map.groupBy(records, ({ user_id }) => partitionFor(app.partitions, user_id))
  const isEnd = position.endsWith(String(allBatches))
  const written = app.partitions
    .filter((keys) => isEnd || own.has(keys))
    .map(async (keys) => {
      const timed = (own.get(keys) ?? []).map((record) => timedRecord(build, keys, record))
      const place = { run: run.id, chain, position, before: run.at.get(keys)?.get(chain) ?? '' }
      const reply = await applyBatch(app.redis, keys, place, planRecords(build, shadows.get(keys) ?? keys, timed))
      if (position > place.before) run.at.get(keys)?.set(chain, position)
      return reply
    })
  if ((await Promise.all(written)).includes('gone')) throw runIsGone()
}

const timedRecord = (build: Build, keys: Keys, record: PastRecord): Timed => ({
  record: asCounted(build, keys, record),
  entry: record.entry,
  times: archivedTimes(record),
})

/** Returns a record as the stages count it now. */
export const asCounted = ({ erasures }: Pick<Build, 'erasures'>, keys: Keys, record: object): object =>
  anonymous(record, erasures.get(keys) ?? noErasures, keys)
