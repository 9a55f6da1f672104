import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { App } from '../../app.ts'
import type { Config } from '../../config.ts'
import { OrdersError } from '../../errors.ts'
import { defineCommand } from '../command.ts'
import { openLocal, shutDownOrphan } from '../local/redis-server.ts'
import { claimDataDir, register } from '../local/running-system.ts'
import { openOnceUp } from '../open/open-once-up.ts'
import { roleNames, runRoles } from './roles.ts'

export interface Started {
  readonly app: App
  readonly apiUrl: string
  /** What stands in for what, for people. */
  readonly notes: readonly string[]
}

/**
 * Runs every role in this process, with stand-ins for what is not configured, until the signal aborts.
 * @param whileRunning called once all roles are up; when it throws, the system ends
 */
export async function start(
  config: Config,
  folder: string,
  whileRunning: (started: Started) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  using claim = claimDataDir(config)
  if (claim.left?.redisUrl) await shutDownOrphan(claim.left.redisUrl, claim.left.folder ?? folder)
  const { dataDir } = config
  const place = { folder: resolve(folder) } // the next start may run elsewhere
  // Written down before it has loaded its data: should we be killed meanwhile, the next start finds it.
  await using local = await openLocal(config, folder, (redisUrl) => register(dataDir, { redisUrl, ...place }))
  register(dataDir, { ...local.config, ...place })
  const notes = [...claim.notes, ...local.notes]
  await using app = await openOnceUp(local.config, roleNames, signal)
  const stop = new AbortController()
  const up = apiUrlWhenStarted(app)
  const running = runRoles({ ...app, trustsThisMachine: true }, roleNames, AbortSignal.any([signal, stop.signal]))
  try {
    await Promise.race([running, up.then((apiUrl) => whileRunning({ app, apiUrl, notes }))])
  } catch (error) {
    stop.abort()
    await running
    throw error
  }
  await running
}

/** A folder that lasts as long as it is held. */
export async function temporaryFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'orders-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

function apiUrlWhenStarted({ telemetry }: App): Promise<string> {
  let url = ''
  return new Promise((resolve) => {
    telemetry.listen((event, fields) => {
      if (event === 'ready') url = (fields as { url: string }).url
      if (event === 'started') resolve(url)
    })
  })
}

export const startCommand = defineCommand({
  name: 'start',
  about: 'Runs everything in this process, with local stand-ins for SQS and Redis where none is configured.',
  options: {},
  run: ({ config, signal, print }) => {
    const show = async (started: Started): Promise<void> => {
      try {
        print(banner(started).split('\n'))
      } catch (error) {
        // It is a notice: that it cannot be written is no reason to end what runs.
        if (!(error instanceof OrdersError && error.code === 'ORD_OUTPUT')) throw error
      }
    }
    return start(config, config.dataDir, show, signal)
  },
})

export function banner({ app, apiUrl, notes }: Started): string {
  const writers = app.config.adminToken === undefined ? [writersNote] : []
  const urls = [
    `Live   ${apiUrl}/`,
    `API    ${apiUrl}/stats/global`,
    `Docs   ${apiUrl}/docs`,
    `Queues ${apiUrl}/admin/queues`,
  ]
  return [...urls, ...notes, ...writers, 'Ctrl-C stops.'].join('\n')
}

const writersNote = 'Writes come from this machine only: set ADMIN_TOKEN before a proxy stands in front.'
