import { existsSync, lstatSync, truncateSync } from 'node:fs'
import type { DatabaseSync, DatabaseSyncOptions } from 'node:sqlite'

/*
 * A lock on a file. The kernel releases it when its holder ends, however that ends, so a lock is never stale. SQLite takes
 * it the same way on Linux, macOS and Windows, and a path may have 500 characters where that of a socket has 107. The file
 * stays empty. No other code may open it: closing it would release the lock (POSIX).
 */

/** Time that a claim waits for a process that only checks (`isLocked`), which takes far less than a millisecond. */
const waitMs = 500

/**
 * Takes the lock until disposed. Returns undefined if another process, or this one, holds it.
 * @throws Error when the path is no file, or SQLite cannot open it.
 */
export function takeLock(path: string): Disposable | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found && !found.isFile()) throw new Error(`${path} is not a file`) // a link may point to a file of another program
  try {
    return lock(path)
  } catch (error) {
    if (codeOf(error) === busy) return undefined
    if (codeOf(error) !== notADatabase) throw error
    truncateSync(path) // Another program has written to it; no process can hold a lock on such a file.
    return lock(path)
  }
}

/** Checks whether any process, including this one, holds the lock. */
export function isLocked(path: string): boolean {
  if (!existsSync(path)) return false
  try {
    using database = open(path, { readOnly: true })
    database.exec('SELECT 1 FROM sqlite_schema')
    return false
  } catch (error) {
    return codeOf(error) === busy // otherwise it is missing or not ours
  }
}

function lock(path: string): Disposable {
  using stack = new DisposableStack()
  const database = stack.use(open(path, { timeout: waitMs }))
  database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE') // no journal file next to it
  return stack.move()
}

/** Opens the file with SQLite, which is loaded only here: earlier releases of Node 24 print a warning when it loads. */
function open(path: string, options: DatabaseSyncOptions): DatabaseSync {
  const sqlite = process.getBuiltinModule('node:sqlite')
  return new sqlite.DatabaseSync(path, options)
}

/** Result codes of SQLite. */
const [busy, notADatabase] = [5, 26]

/** Returns the primary result code: the low byte of SQLite's extended code. */
const codeOf = (error: unknown): number | undefined =>
  error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : undefined
