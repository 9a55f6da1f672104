import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { compileCache } from './process.ts'

const program = fileURLToPath(new URL('./emulator-serve.ts', import.meta.url))
let url: Promise<string> | undefined

/**
 * Returns the URL of an emulator for this worker alone, a process that is started once and ends with the worker. An emulator
 * that all workers share answers one command after the other: a test that keeps it busy for minutes makes the others wait.
 */
export function emulatorOfWorker(): Promise<string> {
  url ??= spawnEmulator()
  return url
}

async function spawnEmulator(): Promise<string> {
  const child = spawn(process.execPath, [program], {
    env: { PATH: process.env['PATH'], ...compileCache },
    stdio: ['pipe', 'pipe', 'inherit'], // its input ends with this process, even if that is killed
  })
  const over = once(child, 'exit').then(() => Promise.reject(new Error('The emulator of Redis has ended.')))
  const [printed] = await Promise.race([once(child.stdout, 'data'), over])
  over.catch(() => {}) // the tests report a connection that breaks
  for (const handle of [child, child.stdin as Socket, child.stdout as Socket]) handle.unref()
  return String(printed)
}
