import { randomBytes } from 'node:crypto'
import type { App } from '../../app.ts'
import type { Config } from '../../config/config.ts'
import { messageOf } from '../../errors.ts'
import { archive } from '../../stages/archive/archive.ts'
import { openStore, readObject } from '../../stages/archive/store/store.ts'
import { observing } from '../../stages/layout/layout.ts'
import { error, type Finding, ok, warning } from './finding.ts'

const check = 'archive'

/** Writes an object into the archive, reads it and deletes it. No finding without ARCHIVE_URL. */
export async function archiveStore(config: Config): Promise<Finding[]> {
  if (config.archiveUrl === undefined) return []
  using store = await openStore(config)
  const name = `check-${randomBytes(6).toString('hex')}`
  const sent = Buffer.from(name)
  try {
    await store.put(name, sent)
    const found = await readObject(store, name)
    for await (const _ of store.list(name)) break
    await store.delete(name)
    if (!found?.equals(sent)) return [error(check, `${store.place} gives back other bytes than it took`, advice)]
    return [ok(check, `${store.place} can be written and read`)]
  } catch (failure) {
    return [error(check, messageOf(failure), advice)]
  }
}

const advice =
  'Orders wait in Redis until it can. Check ARCHIVE_URL, and allow GetObject, PutObject, DeleteObject and ListBucket.'

/** Finds the group of an archive that is switched off here: it would keep every entry of its stream. */
export async function leftArchive({ redis, pipeline, partitions }: App): Promise<Finding[]> {
  if (pipeline.stage(archive.name)) return []
  const kept = await Promise.all(partitions.map(({ stages }) => redis.hexists(stages, observing + archive.name)))
  if (!kept.includes(1)) return []
  const found = 'is switched off here, and Redis keeps every order for it since it last ran'
  return [warning(check, found, 'Set ARCHIVE_URL, or run orders archive leave --yes to go on without an archive.')]
}
