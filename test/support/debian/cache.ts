import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Holds downloads and images for the next run. */
const cacheFolder = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'order-pipeline')

/**
 * Returns a folder that is kept between runs. `fill` makes its content the first time, under another name: an interrupted
 * run leaves nothing that looks complete.
 */
export async function cachedFolder(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(cacheFolder, name)
  if (existsSync(folder)) return folder
  mkdirSync(cacheFolder, { recursive: true })
  const unfinished = mkdtempSync(join(cacheFolder, 'unfinished-'))
  try {
    await fill(unfinished)
    renameSync(unfinished, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error // else another process was quicker
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
  return folder
}
