import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '../src/ops/process/whole-system.ts'
import { launch } from '../test/support/browser.ts'
import { spawnOrders } from '../test/support/process.ts'
import { until } from '../test/support/until.ts'

/*
 * Takes the pictures of the dashboard for README and docs: `npm run screenshots` runs `npm run demo` for some minutes first,
 * so that they show what a newcomer gets.
 */

const minutes = 4
const images = fileURLToPath(new URL('../docs/images/', import.meta.url))

const pictures = [
  { name: 'dashboard-light', colorScheme: 'light', width: 1200, height: 1330 },
  { name: 'dashboard-dark', colorScheme: 'dark', width: 1200, height: 1330 },
  { name: 'phone-light', colorScheme: 'light', width: 375, height: 812 },
  { name: 'phone-dark', colorScheme: 'dark', width: 375, height: 812 },
] as const

await using folder = await temporaryFolder()
mkdirSync(images, { recursive: true })
await using demo = spawnOrders(['demo', '--trickle'], { DATA_DIR: folder.path, API_PORT: '0' })
const url = await until('the demo to be done', () => /^Live +(\S+)$/m.exec(demo.stdout())?.[1] ?? '')
await sleep(minutes * 60_000)
await using browser = await launch()
for (const { name, colorScheme, width, height } of pictures) {
  const page = await browser.newPage({ colorScheme, viewport: { width, height } })
  await page.goto(url)
  await page.locator('.hop[data-key="leaderboard"][data-flowing]').waitFor()
  await page.locator('.hop').getByText('Dead letters').waitFor()
  await page.screenshot({ path: join(images, `${name}.png`) })
}
