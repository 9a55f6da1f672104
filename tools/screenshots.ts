import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '../src/ops/process/whole-system.ts'
import { launch } from '../test/support/browser.ts'
import { type OrdersProcess, spawnOrders } from '../test/support/process.ts'

/*
 * Takes the pictures of the dashboard for README and docs: `npm run screenshots` runs the pipeline for some minutes first.
 */

const minutes = 6
const images = fileURLToPath(new URL('../docs/images/', import.meta.url))

const pictures = [
  { name: 'dashboard-light', colorScheme: 'light', width: 1200, height: 1080 },
  { name: 'dashboard-dark', colorScheme: 'dark', width: 1200, height: 1080 },
  { name: 'phone-light', colorScheme: 'light', width: 375, height: 812 },
  { name: 'phone-dark', colorScheme: 'dark', width: 375, height: 812 },
] as const

/** Sends orders in waves, so that the plots have a shape. */
function populate(second: number, seconds: number): OrdersProcess {
  // A busy machine keeps up with this rate, so that the pictures show no backlog.
  const rate = Math.round(45 + 30 * Math.sin(second / 25) + 10 * Math.sin(second / 7))
  const counts = ['--valid', `${rate * seconds}`, '--invalid', `${Math.round(rate / 15)}`, '--rate', `${rate}`]
  return spawnOrders(['populate', '--seed', `${second}`, ...counts], env)
}

await using folder = await temporaryFolder()
mkdirSync(images, { recursive: true })
const env = { DATA_DIR: folder.path, API_PORT: '0' }
await using system = spawnOrders(['start'], env)
const url = await system.apiUrl()
await system.started()
await using sending = new AsyncDisposableStack()
for (let second = 0; second < minutes * 60; second += 10) {
  sending.use(populate(second, 10))
  await sleep(10_000)
}
sending.use(populate(minutes * 60, 60))
await using browser = await launch()
for (const { name, colorScheme, width, height } of pictures) {
  const page = await browser.newPage({ colorScheme, viewport: { width, height } })
  await page.goto(url)
  await page.locator('.hop[data-key="leaderboard"][data-flowing]').waitFor()
  await page.locator('.hop').getByText('Dead letters').waitFor()
  await page.screenshot({ path: join(images, `${name}.png`) })
}
