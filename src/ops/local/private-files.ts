import { chmodSync, lstatSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../../errors.ts'

/*
 * What the local emulators keep holds orders and a password: it is open to its owner alone. On Windows a folder of a user is
 * closed to others as it is, and files have no modes.
 */

const [folderMode, others] = [0o700, 0o077]
const hasModes = process.platform !== 'win32'

/** Makes files and folders that this process creates private, also those of a library, while this is held. */
export function creatingPrivately(): Disposable {
  const before = process.umask(others)
  return { [Symbol.dispose]: () => void process.umask(before) }
}

/**
 * Makes a folder that only this user can read, or closes it to others where it is there already. A folder that also holds
 * files of others keeps its mode: it may be a home or /tmp. What is ours in it is closed either way.
 * @param isOurs says whether an entry of the folder is ours
 * @returns what stays open to other users, and why: one sentence, or none
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

/** Closes a file, or a folder with all that is in it. What a link leads to is left alone: it may be anything. */
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
  // A disk without modes of its own, such as one of Windows in WSL, takes the call and does nothing.
  return isOpen(path) ? [`${path} (its disk keeps no modes)`] : []
}

/** Whether other users may do anything with it. False for a link that leads nowhere. */
function isOpen(path: string): boolean {
  try {
    return (statSync(path).mode & others) !== 0
  } catch {
    return false
  }
}
