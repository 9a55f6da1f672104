import type { ChildProcess } from 'node:child_process'
import { rmSync } from 'node:fs'

const children = new Set<ChildProcess>()
const folders = new Set<string>()
const actions = new Set<() => void>()

/** A test that runs into its time limit, or is interrupted, is not unwound: what it leaves ends with its process. */
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  for (const act of actions) act()
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

// The runner ends a process that a test keeps busy by this signal, which alone would skip the above.
process.once('SIGTERM', () => process.exit(143))

export function killOnExit(child: ChildProcess): void {
  children.add(child)
  child.once('exit', () => children.delete(child))
}

/** Removes it at once when disposed. */
export function removeOnExit(folder: string): Disposable {
  folders.add(folder)
  return {
    [Symbol.dispose]: () => {
      folders.delete(folder)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Does something at the end of the process, unless it is disposed before. */
export function doOnExit(action: () => void): Disposable {
  actions.add(action)
  return { [Symbol.dispose]: () => void actions.delete(action) }
}
