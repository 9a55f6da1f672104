import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readConfig } from '../../src/config/config.ts'
import { openApp } from '../../src/ops/open/open-app.ts'
import { archive } from '../../src/stages/archive/archive.ts'
import { flushArchive } from '../../src/stages/archive/flush.ts'
import type { OpenContender } from './contender.ts'
import { fillRaw, workThrough } from './ours.ts'

/** Runs our stages and the archive, which keeps all orders in a folder. A round ends when it has them all. */
export const open: OpenContender = async ({ url, orders, level }) => {
  const folder = mkdtempSync(join(tmpdir(), 'bench-archive-'))
  const settings = { LOG_LEVEL: 'silent', STAGE_IN_FLIGHT: `${level}`, CALENDAR: 'off' }
  const app = await openApp(readConfig({ ...settings, REDIS_URL: url, ARCHIVE_URL: pathToFileURL(folder).href }))
  const { work, close } = workThrough(app, orders.length, [archive.name])
  return {
    fill: () => fillRaw(app, orders),
    work: async (begun) => {
      await work(begun)
      await flushArchive(app)
    },
    close: async () => {
      await close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
