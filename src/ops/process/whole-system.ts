import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { App } from '../../app.ts'
import type { Config } from '../../config/config.ts'
import type { Call } from '../command.ts'
import { openLocal } from '../local/emulators.ts'
import { shutDownOrphan } from '../local/redis-server.ts'
import { claimDataDir, register } from '../local/running-system.ts'
import { openOnceUp } from '../open/open-once-up.ts'
import { openRoles, roleNames, rolesIn } from './roles.ts'

export interface Started {
  readonly app: App
  readonly apiUrl: string
  /** A line for each local emulator that runs. */
  readonly notes: readonly string[]
  /** True if Redis is the in-process emulator: its data ends with this process. */
  readonly isForgetful: boolean
}

/**
 * Runs every role in this process until the signal aborts, with local emulators for the servers that are not configured.
 * @param whileRunning called once all roles are open; when it throws, the system ends
 */
export async function runWholeSystem(
  config: Config,
  folder: string,
  whileRunning: (started: Started) => Promise<void>,
  { signal, openLog }: Pick<Call<unknown>, 'signal' | 'openLog'>,
): Promise<void> {
  using claim = claimDataDir(config)
  if (claim.left?.redisUrl) await shutDownOrphan(claim.left.redisUrl, claim.left.folder ?? folder)
  const { dataDir } = config
  const place = { folder: resolve(folder) } // the next start may run elsewhere
  // Registered before Redis has loaded its data: if this process is killed meanwhile, the next start finds it.
  await using local = await openLocal(config, folder, (redisUrl) => register(dataDir, { redisUrl, ...place }))
  register(dataDir, { ...local.config, ...place })
  const notes = [...claim.notes, ...local.notes]
  await using app = await openOnceUp(local.config, roleNames, signal, openLog)
  const stop = new AbortController()
  const trusting = { ...app, trustsThisMachine: true }
  await using roles = await openRoles(trusting, rolesIn(app.pipeline), AbortSignal.any([signal, stop.signal]))
  const running = roles.run()
  const apiUrl = roles.apiUrl ?? ''
  try {
    await Promise.race([running, whileRunning({ app, apiUrl, notes, isForgetful: local.isForgetful })])
  } catch (error) {
    stop.abort()
    await running
    throw error
  }
  await running
}

/** Creates a folder that is deleted when it is disposed. On Windows a file that was just closed may need a second try. */
export async function temporaryFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'orders-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) }
}

/** Returns the text that is printed at the start: the URLs, the local emulators and how to stop. */
export function banner({ app, apiUrl, notes }: Started): string {
  const writers = app.config.adminTokens === undefined ? [writersNote] : []
  const urls = [
    `Live   ${apiUrl}/`,
    `API    ${apiUrl}/stats/global`,
    `Docs   ${apiUrl}/docs`,
    `Queues ${apiUrl}/admin/queues`,
  ]
  return [...urls, ...notes, ...writers, 'Ctrl-C stops.'].join('\n')
}

const writersNote = 'Only this machine can write: set ADMIN_TOKEN before you put a proxy in front.'
