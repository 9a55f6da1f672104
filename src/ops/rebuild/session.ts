import type { App } from '../../app.ts'
import { holdLock } from '../../control/lock.ts'
import { OrdersError } from '../../errors.ts'
import { readChains } from '../../reads/archive/chains.ts'
import { infoOf } from '../../redis/info.ts'
import { archive } from '../../stages/archive/archive.ts'
import type { Segment } from '../../stages/archive/manifest.ts'
import { openStore } from '../../stages/archive/store/store.ts'
import type { Stage } from '../../stages/placed.ts'
import { sumBy } from '../../sums.ts'
import { emulatorOs } from '../checks/server.ts'
import { howToGetRedis } from '../local/redis-program.ts'
import { readRepartition } from '../manifest/repartition.ts'
import { countOf } from '../terminal/numbers.ts'
import { type Build, feed } from './feed.ts'
import { flushSoon } from './flush-soon.ts'
import { type ArchivePlace, archiveOf } from './open-archive.ts'
import { openBuild } from './rebuild.ts'
import { requireStarted } from './require-started.ts'

export interface Session {
  readonly stages: readonly Stage[]
  /** URL of one more archive, such as that of a system whose Redis was lost. */
  readonly from: string | undefined
  /** Undefined for all that the archive has. */
  readonly untilMs: number | undefined
  /** Called before what an earlier rebuild of something else has built is deleted. @throws to keep it */
  mayReplace(): Promise<void>
  print(line: string): void
  /** Called with the number of records that were read so far. */
  read(records: number): void
}

/** Holds what was built. Until it is disposed, no repartition, erasure or other rebuild runs meanwhile. */
export interface Built extends AsyncDisposable {
  readonly build: Build
  /** Read by this process. */
  readonly records: number
  readonly tookMs: number
}

/** Builds the numbers of stages from the archive, up to its end. @throws OrdersError ORD_CONFIG without an archive */
export async function buildFrom(app: App, session: Session, signal: AbortSignal): Promise<Built> {
  await using stack = new AsyncDisposableStack()
  const { stages, from, untilMs, print, read, mayReplace } = session
  await refuseEmulator(app)
  const places: ArchivePlace[] = []
  const kept = app.pipeline.stage(archive.name)
  if (kept) places.push({ store: stack.use(await openStore(app.config)), app })
  else if (untilMs === undefined) throw noArchive()
  if (from !== undefined) {
    const store = stack.use(await openStore({ ...app.config, archiveUrl: from }))
    if ((await readChains(store, undefined)).length === 0) {
      throw new OrdersError('ORD_USAGE', `There is no archive at ${store.place}: see --from.`)
    }
    places.push({ store, app: undefined })
  }
  if (places.length === 0) throw noArchive()
  const lock = stack.use(await holdLock(app.redis, print, signal, 'orders rebuild, erase or repartition'))
  if (await readRepartition(app.redis)) {
    throw new OrdersError('ORD_USAGE', 'A repartition is under way: let it end first, by orders repartition.')
  }
  const alive = async (): Promise<void> => {
    signal.throwIfAborted()
    await lock.require()
  }
  if (kept && untilMs === undefined) await requireStarted(app, kept, alive) // what it misses while it is away is not known yet
  if (kept) await flushSoon(app, alive)
  const began = performance.now()
  const until = untilMs ?? Number.POSITIVE_INFINITY
  const whole = archiveOf(places)
  const build = await openBuild(app, { archive: whole, stages, untilMs: until, alive, mayReplace, read })
  if (build.run.isContinued) print('Continues what an earlier rebuild has built.')
  const lost = await whole.lost()
  if (lost.length > 0) print(leftOutText(lost))
  const records = await feed(build)
  const opened = stack.move()
  const tookMs = performance.now() - began
  return { build, records, tookMs, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

function leftOutText(lost: readonly Segment[]): string {
  const records = sumBy(lost, (segment) => segment.records)
  const which = `${countOf(lost.length, 'segment')} with ${countOf(records, 'record')}`
  return `Leaves out ${which}: Redis has lost their lines, so their orders came again or are gone.`
}

const noArchive = (): OrdersError =>
  new OrdersError('ORD_CONFIG', 'There is no archive that this system writes: set ARCHIVE_URL for it.')

/** @throws OrdersError ORD_USAGE for the emulator: it lacks commands that a comparison needs */
async function refuseEmulator({ redis }: App): Promise<void> {
  const info = await redis.info('server').catch(() => '') // a server that forbids INFO is no emulator
  if (infoOf([info])('os') !== emulatorOs) return
  throw new OrdersError('ORD_USAGE', `Redis is the in-process emulator: ${howToGetRedis()}, and run this there.`)
}
