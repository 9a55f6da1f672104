import { mkdtempSync, rmSync } from 'node:fs'
import { rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { App } from '../../src/app.ts'
import { type Chain, readChains } from '../../src/reads/archive/chains.ts'
import { readRecords } from '../../src/reads/archive/records.ts'
import { type LiveSegment, liveSegments } from '../../src/reads/archive/segments.ts'
import type { ArchivedRecord } from '../../src/stages/archive/record.ts'
import type { ObjectStore } from '../../src/stages/archive/store/object-store.ts'

/** A folder of a test's own, and its ARCHIVE_URL. */
export function archiveFolder(): { folder: string; url: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'archive-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  return { folder, url: pathToFileURL(folder).href, [Symbol.dispose]: remove }
}

/** Puts a file in the place of the folder of an archive, so that it cannot be written. @returns what puts the folder back */
export async function replaceByFile(folder: string): Promise<() => Promise<void>> {
  await rename(folder, `${folder}-kept`)
  await writeFile(folder, '')
  return async () => {
    await rm(folder)
    await rename(`${folder}-kept`, folder)
  }
}

export interface Archived {
  readonly chains: readonly Chain[]
  readonly segments: readonly LiveSegment[]
  readonly records: readonly ArchivedRecord[]
}

/** Reads all that counts. */
export async function readArchive(
  store: ObjectStore,
  app: Pick<App, 'redis' | 'partitions'> | undefined,
): Promise<Archived> {
  const chains = await readChains(store, app)
  const segments = liveSegments(chains)
  const records: ArchivedRecord[] = []
  for (const { segment } of segments) for await (const record of readRecords(store, segment)) records.push(record)
  return { chains, segments, records }
}
