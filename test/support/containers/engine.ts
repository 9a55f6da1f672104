import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { debianPackages } from '../debian/packages.ts'
import { run } from '../debian/run.ts'
import { killOnExit, removeOnExit } from '../on-exit.ts'
import { until } from '../until.ts'

/** A Docker engine. */
export interface Engine extends AsyncDisposable {
  /** Leads docker, and all that looks for an engine as docker does, to this one. */
  readonly env: Readonly<Record<string, string>>
  /** False for one that was started for this run: it has no image, and no registry to get one from. */
  readonly isGiven: boolean
}

/** Opens the engine that answers, or starts one if this machine can. Returns undefined if it can't. */
export async function openEngine(): Promise<Engine | undefined> {
  if (await answers({})) return { env: {}, isGiven: true, [Symbol.asyncDispose]: async () => {} }
  return process.getuid?.() === 0 && (await isInstalled('dockerd')) ? start() : undefined
}

const answers = (env: Engine['env']): Promise<boolean> =>
  run('docker', ['version', '--format', '{{.Server.Os}}'], { env, timeoutMs: 10_000 }).then(
    (os) => os.trim() === 'linux',
    () => false,
  )

const isInstalled = (program: string): Promise<boolean> =>
  run(program, ['--version']).then(
    () => true,
    () => false,
  )

async function start(): Promise<Engine> {
  const dir = mkdtempSync(join(tmpdir(), 'orders-docker-'))
  const folder = removeOnExit(dir)
  const env = { DOCKER_HOST: `unix://${dir}/docker.sock`, DOCKER_CONFIG: join(dir, 'config') }
  await addPlugins(join(dir, 'config/cli-plugins'))
  const log = openSync(join(dir, 'dockerd.log'), 'w')
  const options = ['data-root', 'exec-root', 'pidfile'].map((name) => `--${name}=${join(dir, name)}`)
  const dockerd = ['dockerd', ...options, '--host', env.DOCKER_HOST]
  mkdirSync(join(dir, 'data-root'))
  const begin = process.availableMemory() > roomy ? ['sh', '-c', inMemory, join(dir, 'data-root')] : []
  const child = spawn('unshare', [...alone, ...begin, ...dockerd], { stdio: ['ignore', log, log] })
  closeSync(log)
  killOnExit(child)
  await until('the Docker engine', async () => {
    if (hasEnded(child)) throw new Error(readFileSync(join(dir, 'dockerd.log'), 'utf8').slice(-2_000))
    return answers(env)
  })
  const stop = async (): Promise<void> => {
    await removeAll(env)
    await end(child)
    folder[Symbol.dispose]()
  }
  return { env, isGiven: false, [Symbol.asyncDispose]: stop }
}

/**
 * Gives the engine processes and mounts of its own. All of them end with it, and it ends with `unshare`: what keeps the
 * containers running would outlive an engine that is killed.
 */
const alone = ['--fork', '--pid', '--mount', '--mount-proc', '--kill-child']

/**
 * Keeps the images and containers in memory, if that has room for them: some 2 GB. Their 40,000 files end with the mounts of
 * the engine, and a disk that is busy with other tests would take a minute to remove them.
 */
const inMemory = 'mount -t tmpfs orders "$0" && exec "$@"'
const roomy = 8 * 2 ** 30

/** Compose and buildx, which Debian has in its next release only, where docker finds them. */
async function addPlugins(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const found = await debianPackages('sid', ['docker-compose', 'docker-buildx'])
  for (const name of readdirSync(found, { recursive: true, encoding: 'utf8' })) {
    const plugin = /cli-plugins\/(docker-\w+)$/.exec(name)?.[1]
    if (plugin !== undefined) symlinkSync(join(found, name), join(folder, plugin))
  }
}

/** An engine that ends would wait for each of its containers to stop, and leave its networks on this machine. */
async function removeAll(env: Engine['env']): Promise<void> {
  const ids = (await run('docker', ['ps', '--all', '--quiet'], { env })).split('\n').filter(Boolean)
  if (ids.length > 0) await run('docker', ['rm', '--force', '--volumes', ...ids], { env })
  await run('docker', ['network', 'prune', '--force'], { env })
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null

async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return
  const exit = once(child, 'exit')
  const { pid } = child // of unshare, which waits for the engine
  process.kill(Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')), 'SIGTERM')
  await exit
}
