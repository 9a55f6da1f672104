import { lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Config } from '../../config/config.ts'
import { messageOf, OrdersError } from '../../errors.ts'
import { namesSqs } from '../../ingest/sqs/endpoint.ts'
import { namesRedis } from '../../redis/endpoint.ts'
import { isLocked, takeLock } from './folder-lock.ts'
import { creatingPrivately, makePrivateFolder } from './private-files.ts'

/** The file that `orders start` writes, so that other commands find its local emulators. */
const running = z.object({
  pid: z.int(),
  awsEndpointUrl: z.string().optional(),
  redisUrl: z.string().optional(),
  /** The data folder of its local emulators: DATA_DIR, or a temporary folder of the demo. */
  folder: z.string().optional(),
  archiveUrl: z.string().optional(),
})
type Running = z.output<typeof running>

const file = (dataDir: string): string => join(dataDir, 'running.json')
const lockFile = (dataDir: string): string => join(dataDir, 'running.lock')

/** Entries of the data folder that this system makes: the two files above, and a folder for each local emulator. */
const isOurs = (name: string): boolean => name.startsWith('running.') || name === 'redis' || name === 'sqs'

export interface Claim extends Disposable {
  /** The record of a killed predecessor, whose emulators may still run. It stays in the file until `register` replaces it. */
  readonly left: Running | undefined
  /** Notes about the folder to print. */
  readonly notes: readonly string[]
}

/**
 * Claims the data folder for this process until disposed, and closes it to other users.
 * @throws OrdersError ORD_LOCAL when another system holds it, or when it cannot be used.
 */
export function claimDataDir({ dataDir }: Config): Claim {
  using stack = new DisposableStack()
  using _ = creatingPrivately()
  const unusable = (error: unknown): OrdersError => {
    const message = `DATA_DIR is ${JSON.stringify(dataDir)} and cannot be used (${messageOf(error)})`
    return new OrdersError('ORD_LOCAL', `${message}: set it to a folder that can be written to.`, { cause: error })
  }
  const attempt = <T>(step: () => T): T => {
    try {
      return step()
    } catch (error) {
      throw unusable(error)
    }
  }
  const open = attempt(() => makePrivateFolder(dataDir, isOurs))
  const lock = attempt(() => takeLock(lockFile(dataDir)))
  const left = readRunning(dataDir)
  if (!lock) {
    const holder = left ? ` (process ${left.pid})` : ''
    throw new OrdersError(
      'ORD_LOCAL',
      `A system already runs here${holder}: stop it, or set DATA_DIR to another folder.`,
    )
  }
  stack.use(lock)
  attempt(() => register(dataDir, { ...left }))
  stack.defer(() => rmSync(file(dataDir), { force: true }))
  const claimed = stack.move()
  return { left, notes: open ? [`Files  ${open}`] : [], [Symbol.dispose]: () => claimed.dispose() }
}

/** Writes the file, readable by this user only: a URL may hold a password. Only the holder of the claim may call it. */
export function register(
  dataDir: string,
  { awsEndpointUrl, redisUrl, folder, archiveUrl }: { readonly [K in keyof Running]?: Running[K] | undefined },
): void {
  const known: Running = { pid: process.pid, awsEndpointUrl, redisUrl, folder, archiveUrl }
  const text = JSON.stringify(known)
  const [path, next] = [file(dataDir), `${file(dataDir)}.new`]
  rmSync(next, { recursive: true, force: true })
  writeFileSync(next, text, { mode: 0o600, flag: 'wx' })
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) renameSync(path, `${path}.${Date.now()}`)
  renameSync(next, path) // A reader never sees half a file.
}

/** Completes a configuration that names no SQS or no Redis with those of the `orders start` that runs here. */
export function withRunning(config: Config): Config {
  const found = isLocked(lockFile(config.dataDir)) ? readRunning(config.dataDir) : undefined
  if (!found) return config
  return {
    ...config,
    awsEndpointUrl: namesSqs(config) ? config.awsEndpointUrl : found.awsEndpointUrl,
    archiveUrl: config.archiveUrl ?? (isOn(config, found) ? found.archiveUrl : undefined),
    // Its password is in its URL.
    ...(!namesRedis(config) && found.redisUrl && { redisUrl: found.redisUrl, redisPasswordFile: undefined }),
  }
}

/** Returns whether a configuration leads to the Redis of a system. */
const isOn = (config: Config, { redisUrl }: Running): boolean => !namesRedis(config) || config.redisUrl === redisUrl

/** Reads the file of the last `orders start`, which deletes it when it ends normally. Ignores anything else of that name. */
export function readRunning(dataDir: string): Running | undefined {
  try {
    const stats = lstatSync(file(dataDir)) // a pipe of that name would block
    if (!stats.isFile() || stats.size > maxBytes) return undefined
    return running.safeParse(JSON.parse(readFileSync(file(dataDir), 'utf8'))).data
  } catch {
    return undefined
  }
}

/** Two URLs and a path are far smaller. */
const maxBytes = 65_536
