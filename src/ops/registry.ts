import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Config } from '../config.ts'
import { messageOf, OrdersError } from '../errors.ts'
import { namesRedis } from '../redis-endpoint.ts'

/** What runs here: written by `orders start`, so that the other commands find its stand-ins. */
const running = z.object({
  pid: z.int(),
  awsEndpointUrl: z.string().optional(),
  redisUrl: z.string().optional(),
  /** Where its stand-ins keep their data: DATA_DIR, or a temporary folder of the demo. */
  folder: z.string().optional(),
})
type Running = z.output<typeof running>

const file = (dataDir: string): string => join(dataDir, 'running.json')

/**
 * Claims the data folder for this process until disposed. What a killed predecessor left running stays written down
 * until `register` says what runs now.
 * @throws OrdersError ORD_LOCAL when a live process has it.
 */
export function claimDataDir(config: Config): Disposable & { left: Running | undefined } {
  const left = readRunning(config.dataDir)
  if (left && left.pid !== process.pid && isAlive(left.pid)) {
    const told = `A system already runs here (process ${left.pid}): stop it, or set DATA_DIR to another folder.`
    throw new OrdersError('ORD_LOCAL', told)
  }
  try {
    mkdirSync(config.dataDir, { recursive: true })
    register(config.dataDir, { ...left })
  } catch (error) {
    const told = `DATA_DIR is ${JSON.stringify(config.dataDir)} and cannot be used (${messageOf(error)})`
    throw new OrdersError('ORD_LOCAL', `${told}: name a folder that can be written to.`, { cause: error })
  }
  return { left, [Symbol.dispose]: () => rmSync(file(config.dataDir), { force: true }) }
}

export function register(dataDir: string, { awsEndpointUrl, redisUrl, folder }: Partial<Running>): void {
  const text = JSON.stringify({ pid: process.pid, awsEndpointUrl, redisUrl, folder } satisfies Running)
  // Renamed into place: nobody reads half of it.
  writeFileSync(`${file(dataDir)}.new`, text)
  renameSync(`${file(dataDir)}.new`, file(dataDir))
}

/** The configuration with, where it names no SQS or no Redis, those of the `orders start` that runs here. */
export function withRunning(config: Config): Config {
  const found = readRunning(config.dataDir)
  if (!found || !isAlive(found.pid)) return config
  return {
    ...config,
    awsEndpointUrl: config.awsEndpointUrl ?? found.awsEndpointUrl,
    redisUrl: namesRedis(config) ? config.redisUrl : found.redisUrl,
  }
}

/** What the last `orders start` wrote there, unless it ended in order. */
export function readRunning(dataDir: string): Running | undefined {
  try {
    return running.safeParse(JSON.parse(readFileSync(file(dataDir), 'utf8'))).data
  } catch {
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM' // somebody else's
  }
}
