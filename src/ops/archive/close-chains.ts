import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { isKnownAlone, type KnownLines, readChains } from '../../reads/archive/chains.ts'
import { archive } from '../../stages/archive/archive.ts'
import { beginChain, newestIn } from '../../stages/archive/begin.ts'
import { openChain, storeLines } from '../../stages/archive/lines.ts'
import { requireArchive } from '../../stages/archive/require-archive.ts'
import { requireSameArchive } from '../../stages/archive/same-archive.ts'
import { attended } from '../../stages/archive/store/attended.ts'
import type { ObjectStore } from '../../stages/archive/store/object-store.ts'
import { openStore } from '../../stages/archive/store/store.ts'
import { readTail } from '../../stages/archive/tail.ts'
import { storeAllLines } from './replace.ts'

type Scope = Pick<App, 'redis' | 'config' | 'pipeline' | 'partitions'>

/**
 * Does all that `endChains` needs of the archive and that takes long, before anything stops for it: orders flow meanwhile.
 * @throws OrdersError ORD_CONFIG if this process does not know where the archive is; ORD_ARCHIVE if it cannot be read there
 */
export async function requireClosable(app: App, signal: AbortSignal): Promise<void> {
  await requireArchive(app)
  if (!app.pipeline.stage(archive.name)) return
  using opened = await openStore(app.config)
  await settleEnds(
    app,
    attended(opened, () => {}, signal),
  )
}

/**
 * Ends the chains of partitions that are about to change. Nothing waits for the archive then. The next segment begins a chain.
 * @throws OrdersError ORD_ARCHIVE if the store cannot be read, or does not take the lines that it lacks
 */
export async function closeChains(app: Scope): Promise<void> {
  if (await hasChains(app)) {
    using store = await openStore(app.config)
    await settleEnds(app, store)
  }
  await endChains(app)
}

/** Does the same once `requireClosable` has read the archive: reads only what comes after the last lines that Redis knows. */
export async function endChains(app: Scope): Promise<void> {
  const { redis, partitions } = app
  if (await hasChains(app)) {
    using store = await openStore(app.config)
    for (const keys of partitions) {
      const scope = { ...app, keys }
      if (!(await readTail(scope))) continue
      await openChain(scope, store)
      await storeLines(scope, store)
    }
  }
  for (const { archive, archiveLines, archiveFlush } of partitions) {
    await redis.del(archive)
    await redis.del(archiveLines)
    await redis.del(archiveFlush)
  }
}

async function hasChains({ redis, partitions }: Scope): Promise<boolean> {
  const tails = await Promise.all(partitions.map((keys) => readTail({ redis, keys })))
  return tails.some((tail) => tail)
}

/**
 * Has the store alone say which lines count, as Redis forgets that. It gets the lines that it lacks. Where it has lines or
 * chains that Redis has lost, chains begin that follow the last lines that Redis knows.
 */
async function settleEnds(app: Scope, store: ObjectStore): Promise<void> {
  const known: KnownLines = new Map()
  await requireSameArchive(app, store)
  await storeAllLines(app, store)
  await readChains(store, app, known)
  if (await isKnownAlone(store, app, known)) return
  const after = await newestIn(store)
  for (const keys of app.partitions) await follow({ ...app, keys }, store, after)
  if (await isKnownAlone(store, app, known)) return
  const why = 'has lines that are later than those of Redis: another system writes there'
  throw new OrdersError('ORD_ARCHIVE', `The archive at ${store.place} ${why}.`)
}

/** Begins a chain that follows the last line of a partition. A process may append a line meanwhile. */
async function follow(
  scope: Scope & { readonly keys: App['partitions'][number] },
  store: ObjectStore,
  after: string | undefined,
): Promise<void> {
  for (;;) {
    await storeLines(scope, store)
    const tail = await readTail(scope)
    if (!tail || (await beginChain(scope, tail, after, tail)).status === 'appended') break
  }
  await storeLines(scope, store)
}
