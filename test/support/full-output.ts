import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeOnExit } from './on-exit.ts'

/** A file descriptor for the output of a process. */
export interface Output extends Disposable {
  readonly fd: number
}

/** A disk without a byte left: every write fails with ENOSPC. */
export function fullDisk(): Output {
  const fd = openSync('/dev/full', 'w')
  return { fd, [Symbol.dispose]: () => closeSync(fd) }
}

/** A pipe whose reader is there and never reads: what it holds, some 64 KB, is all that it takes. */
export function unreadPipe(): Output & { readonly path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'orders-test-pipe-'))
  const removal = removeOnExit(folder)
  const path = join(folder, 'pipe')
  execFileSync('mkfifo', [path])
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const fd = openSync(path, 'w')
  const close = (): void => {
    closeSync(fd)
    closeSync(reader)
    removal[Symbol.dispose]()
  }
  return { fd, path, [Symbol.dispose]: close }
}
