import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { type KnownLines, readChains } from '../../reads/archive/chains.ts'
import { append, beginning } from '../../stages/archive/append.ts'
import { archive } from '../../stages/archive/archive.ts'
import { storeLines } from '../../stages/archive/lines.ts'
import { requireArchive } from '../../stages/archive/require-archive.ts'
import { requireSame, requireSameArchive } from '../../stages/archive/same-archive.ts'
import type { ObjectStore } from '../../stages/archive/store/object-store.ts'
import { openStore } from '../../stages/archive/store/store.ts'
import { readTail } from '../../stages/archive/tail.ts'

/**
 * Refuses what would close the chains later, before anything stops for it.
 * @throws OrdersError ORD_CONFIG if this process does not know where the archive is; ORD_ARCHIVE if it cannot be read there
 */
export async function requireClosable(app: App): Promise<void> {
  await requireArchive(app)
  if (!app.pipeline.stage(archive.name)) return
  using store = await openStore(app.config)
  await requireSameArchive(app, store)
}

/**
 * Ends the chains of partitions that are about to change. Nothing waits for the archive then. The next segment begins a chain.
 * @throws OrdersError ORD_ARCHIVE if the store cannot be read, or does not take the lines that it lacks
 */
export async function closeChains(app: Pick<App, 'redis' | 'config' | 'pipeline' | 'partitions'>): Promise<void> {
  const { redis, partitions } = app
  const tails = await Promise.all(partitions.map((keys) => readTail({ redis, keys })))
  if (tails.some((tail) => tail)) {
    using store = await openStore(app.config)
    await storeEnds(app, store)
  }
  for (const { archive, archiveLines, archiveFlush } of partitions) {
    await redis.del(archive)
    await redis.del(archiveLines)
    await redis.del(archiveFlush)
  }
}

/**
 * Has the store alone say which lines count, as Redis forgets that. It gets the lines that it lacks. Where it has lines or
 * chains that Redis has lost, chains begin that follow the last lines that Redis knows.
 */
async function storeEnds(app: Pick<App, 'redis' | 'pipeline' | 'partitions'>, store: ObjectStore): Promise<void> {
  const known: KnownLines = new Map()
  const scopes = app.partitions.map((keys) => ({ ...app, keys }))
  const headsBy = async (of: typeof app | undefined): Promise<string> =>
    (await readChains(store, of, known)).map(({ chain, head }) => `${chain} ${head}`).join()
  for (let tries = 0; tries < maxTries; tries++) {
    if (tries > 1) await sleep(retryMs)
    for (const scope of scopes) {
      await requireSame(scope, store)
      await storeLines(scope, store)
    }
    if ((await headsBy(app)) === (await headsBy(undefined))) return
    for (const scope of scopes) {
      const tail = await readTail(scope)
      if (!tail) continue
      const { chain, seq, head } = tail
      await append(scope, { chain, seq, head }, { content: beginning(scope.keys, { chain, seq, head }) })
    }
  }
  const why = 'has later lines than Redis writes now: its clock is behind, or another system writes there'
  throw new OrdersError('ORD_ARCHIVE', `The archive at ${store.place} ${why}.`)
}

/** A clock that is behind by half a minute is waited for. */
const [maxTries, retryMs] = [30, 1_000]
