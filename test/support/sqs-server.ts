import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { killOnExit, removeOnExit } from './on-exit.ts'
import { compileCache } from './process.ts'
import { freePort } from './redis-server.ts'

const program = fileURLToPath(new URL('./sqs-serve.ts', import.meta.url))

/** An SQS emulator in a process of its own that keeps its messages in files, to be killed and started again at will. */
export interface SqsServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  pid(): number
  kill(): Promise<void>
  /** On the same port and data. */
  start(): Promise<void>
}

export async function spawnSqsServer(): Promise<SqsServer> {
  const dataDir = mkdtempSync(join(tmpdir(), 'orders-test-sqs-'))
  const folder = removeOnExit(dataDir)
  const port = await freePort()
  let child: ChildProcess | undefined
  const start = async (): Promise<void> => {
    const started = spawn(process.execPath, [program, `${port}`, dataDir], {
      env: { PATH: process.env['PATH'], ...compileCache },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    child = started
    killOnExit(started)
    await Promise.race([once(started.stdout, 'data'), diedOf(started)])
  }
  const kill = async (): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }
  await start()
  const close = async (): Promise<void> => {
    await kill()
    folder[Symbol.dispose]()
  }
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    pid: () => child?.pid ?? 0,
    kill,
    start,
    [Symbol.asyncDispose]: close,
  }
}

async function diedOf(child: ChildProcess): Promise<never> {
  await once(child, 'exit')
  throw new Error('the SQS emulator ended before it was ready')
}
