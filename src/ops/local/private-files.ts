import { chmodSync, lstatSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../../errors.ts'

/*
 * The data of the local emulators contains orders and a password, so only its owner can read it. On Windows the folders of
 * a user are closed to others anyway, and files have no modes.
 */

const [folderMode, others] = [0o700, 0o077]
const hasModes = process.platform !== 'win32'

/** Makes files and folders that this process or a library creates private, until disposed. */
export function creatingPrivately(): Disposable {
  const before = process.umask(others)
  return { [Symbol.dispose]: () => void process.umask(before) }
}

/**
 * Creates a folder that only this user can read, or closes an existing one to others. A folder that also holds other files
 * keeps its mode, because it may be a home or /tmp. Our entries in it are closed in either case.
 * @param isOurs distinguishes our entries from others
 * @returns a sentence about the first entry that stays open to other users; undefined if there is none
 */
export function makePrivateFolder(folder: string, isOurs: (name: string) => boolean): string | undefined {
  mkdirSync(folder, { recursive: true, mode: folderMode })
  if (!hasModes) return undefined
  const names = readdirSync(folder)
  const failures = names.filter(isOurs).flatMap((name) => closeAll(join(folder, name)))
  if (names.every(isOurs)) failures.unshift(...close(folder))
  const [first] = failures
  return first && `Other users of this machine can read ${first}: set DATA_DIR to a folder of your own.`
}

/** Closes a file, or a folder and everything in it. The target of a link stays as it is: it may be anything. */
function closeAll(path: string): string[] {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (stats?.isFile()) return close(path)
  if (stats?.isSymbolicLink()) return isOpen(path) ? [`${path} (a link, whose target is left as it is)`] : []
  if (!stats?.isDirectory()) return []
  const failures = close(path)
  try {
    for (const name of readdirSync(path)) failures.push(...closeAll(join(path, name)))
  } catch (error) {
    if (failures.length === 0) failures.push(`what is in ${path} (${messageOf(error)})`)
  }
  return failures
}

function close(path: string): string[] {
  try {
    if (!isOpen(path)) return []
    chmodSync(path, statSync(path).mode & 0o7777 & ~others)
  } catch (error) {
    return [`${path} (${messageOf(error)})`]
  }
  // A disk without file modes, such as a Windows disk in WSL, accepts the call and does nothing.
  return isOpen(path) ? [`${path} (its disk keeps no modes)`] : []
}

/** Checks whether other users have any access. False for a broken link. */
function isOpen(path: string): boolean {
  try {
    return (statSync(path).mode & others) !== 0
  } catch {
    return false
  }
}
