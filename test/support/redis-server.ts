import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { killOnExit, removeOnExit } from './on-exit.ts'

/** A redis-server of a test's own, on loopback with an append-only file, to be killed and started again at will. */
export interface RedisServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  pid(): number
  stop(signal?: NodeJS.Signals): Promise<void>
  /** @param options next to those that it was spawned with */
  start(...options: string[]): Promise<void>
  /** While it is stopped: as after a machine that failed before anything was on its disk. */
  loseData(): void
}

/** Undefined where there is no redis-server on the PATH. */
export const spawnRedisServer = (...options: string[]): Promise<RedisServer | undefined> =>
  spawnRedisProgram('redis-server', options)

/** Undefined where there is no such program. */
export async function spawnRedisProgram(
  program: string,
  options: readonly string[] = [],
): Promise<RedisServer | undefined> {
  const dir = mkdtempSync(join(tmpdir(), 'orders-test-redis-'))
  const folder = removeOnExit(dir)
  const port = await freePort()
  const base = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', dir, '--save', '']
  const args = [...base, '--appendonly', 'yes', '--maxmemory-policy', 'noeviction', ...options]
  const url = `redis://127.0.0.1:${port}`
  let child: ChildProcess | undefined
  const start = async (...more: string[]): Promise<void> => {
    child = spawn(program, [...args, ...more], { stdio: 'ignore' })
    killOnExit(child)
    await once(child, 'spawn')
    const over = once(child, 'exit').then(() => Promise.reject(new Error(`${program} at ${url} has ended`)))
    await Promise.race([answers(url), over]) // where another has its port, that one would answer
  }
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill(signal)
    await exit
  }
  try {
    await start()
  } catch (error) {
    folder[Symbol.dispose]()
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  const close = async (): Promise<void> => {
    await stop('SIGKILL') // one that is busy, or cannot save, refuses SIGTERM
    folder[Symbol.dispose]()
  }
  const loseData = (): void => rmSync(join(dir, 'appendonlydir'), { recursive: true, force: true })
  const pid = (): number => child?.pid ?? 0
  return { url, port, pid, start, stop, loseData, [Symbol.asyncDispose]: close }
}

/** Resolves when the server has loaded its data and answers. */
export async function answers(url: string): Promise<void> {
  const probe = new Redis(url, { retryStrategy: () => 20, maxRetriesPerRequest: null })
  probe.on('error', () => {})
  await probe.ping()
  probe.disconnect()
}

/**
 * Below those that a system gives to connections: one of them could take the port before the server has it. Each worker of
 * the run has its own, and begins elsewhere for each file. A run within a run has TEST_PORT_SLOT, after the workers of the
 * outer one.
 */
const [firstPort, portsPerWorker] = [10_000, 1_400]
const slot = Number(process.env['TEST_PORT_SLOT'] ?? 0) + Number(process.env['VITEST_POOL_ID'] ?? 0)
const workerPorts = firstPort + slot * portsPerWorker
let portsTried = process.pid * 50

export async function freePort(): Promise<number> {
  for (;;) {
    const port = workerPorts + (portsTried++ % portsPerWorker)
    const server = createServer()
    const free = once(server.listen(port, '127.0.0.1'), 'listening').then(
      () => true,
      () => false,
    )
    if (!(await free)) continue
    server.close()
    await once(server, 'close')
    return port
  }
}
