import { randomBytes } from 'node:crypto'
import type { App } from '../../app.ts'
import type { Config } from '../../config/config.ts'
import { messageOf } from '../../errors.ts'
import { archive } from '../../stages/archive/archive.ts'
import { requireSameArchive } from '../../stages/archive/same-archive.ts'
import type { Trying } from '../../stages/archive/store/object-store.ts'
import { openStore, readObject } from '../../stages/archive/store/store.ts'
import { observing } from '../../stages/layout/layout.ts'
import { uncountedAdvice, uncountedRecords, uncountedText } from '../archive/uncounted.ts'
import { error, type Finding, ok, warning } from './finding.ts'

const check = 'archive'

/**
 * Finds out whether the archive can be used: it is the one that Redis goes on with, an object can be written, read and deleted,
 * and Redis has not lost what it counted. No finding without ARCHIVE_URL.
 * @param app undefined where Redis does not answer
 */
export async function archiveStore(config: Config, app?: App, trying?: Trying): Promise<Finding[]> {
  if (config.archiveUrl === undefined) return []
  using store = await openStore(config, trying)
  const advice = adviceFor(store.place)
  const name = `check-${randomBytes(6).toString('hex')}`
  const sent = Buffer.from(name)
  try {
    if (app) await requireSameArchive(app, store) // first: a write would make a folder that is not mounted
    await store.put(name, sent)
    const found = await readObject(store, name)
    for await (const _ of store.list(name)) break
    await store.delete(name)
    if (!found?.equals(sent)) return [error(check, `${store.place} gives back other bytes than it took`, advice)]
    const uncounted = app ? await uncountedRecords(app, store) : 0
    const lost = uncounted > 0 ? [warning(check, uncountedText(uncounted), uncountedAdvice)] : []
    return [ok(check, `${store.place} can be written and read`), ...lost]
  } catch (failure) {
    return [error(check, messageOf(failure).replace(/\.$/, ''), advice)]
  }
}

/** Checks it for a process that starts, which goes on whatever is found: its stage waits for the archive. */
export async function archiveAtStart(app: App, roles: readonly string[]): Promise<Finding[]> {
  return roles.includes(archive.name) ? archiveStore(app.config, app, { attempts: 1, silentMs: 5_000 }) : []
}

const adviceFor = (place: string): string =>
  place.startsWith('s3://')
    ? 'Orders wait in Redis until it can be used. Check ARCHIVE_URL, and allow GetObject, PutObject, DeleteObject and ListBucket.'
    : 'Orders wait in Redis until it can be used. Check ARCHIVE_URL, that the folder is mounted, and that this user may write there.'

/** Finds the group of an archive that is switched off here: it would keep every entry of its stream. */
export async function leftArchive({ redis, pipeline, partitions }: App): Promise<Finding[]> {
  if (pipeline.stage(archive.name)) return []
  const kept = await Promise.all(partitions.map(({ stages }) => redis.hexists(stages, observing + archive.name)))
  if (!kept.includes(1)) return []
  const found = 'is switched off here, and Redis keeps every order for it since it last ran'
  return [warning(check, found, 'Set ARCHIVE_URL, or run orders archive leave --yes to go on without an archive.')]
}
