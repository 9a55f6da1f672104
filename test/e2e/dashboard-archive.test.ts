import { expect, test } from 'vitest'
import { makeKeys } from '../../src/keys.ts'
import { archiveFolder } from '../support/archive.ts'
import { barriers, complaints, launch } from '../support/browser.ts'
import { requireChromium } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { until } from '../support/until.ts'
import { emptyRedis, envOf } from '../support/world.ts'

const chain = { chain: 'c1', partition: 'none', head: '', stored: 1_234, seq: 1_234, segments: 1_234, bytes: 5_600_000 }

test('the card of the archive shows its segments, and why it cannot be written in two lines', async (context) => {
  requireChromium(context)
  await using world = await emptyRedis()
  using folder = archiveFolder()
  const { archive: key } = makeKeys()
  await world.redis.hset(key, { ...chain, at: new Date(Date.now() - 300_000).toISOString() })
  await using running = runOrders(['run', 'api'], envOf(world.url, undefined, { ARCHIVE_URL: folder.url }))
  await using browser = await launch()
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
  const reported = complaints(page)
  await page.goto(await running.apiUrl())
  const archive = page.locator('.hop[data-key="archive"]')
  await archive.getByText('Segments1,234, 5.6 MB').waitFor()
  await archive.getByText('Last one5 min ago').waitFor()
  const heightsOf = (): Promise<number[]> =>
    page.evaluate<number[]>('[...document.querySelectorAll(".hop")].map((card) => card.offsetHeight)')
  const calm = Math.max(...(await heightsOf()))

  const error = `dt=2026-11-30/partition=none/${'1796070949553-0-'.repeat(9)}.ndjson.gz cannot be written: not a directory.`
  await world.redis.hset(key, { failure: JSON.stringify({ since: '2026-11-30T20:35:54.396Z', error }) })
  const text = archive.locator('.stall p')
  await text.getByText('The archive cannot be written since').waitFor()
  const lines = `(() => {
    const text = document.querySelector('.hop[data-key="archive"] .stall p')
    return text.clientHeight / parseFloat(getComputedStyle(text).lineHeight)
  })()`
  expect(Math.round(await page.evaluate<number>(lines))).toBe(2)
  expect(Math.max(...(await heightsOf())) - calm).toBeLessThan(100)
  await archive.getByRole('button', { name: 'more about why archive does no work' }).click()
  await page.locator('#explanation').getByText('cannot be written: not a directory').waitFor()
  expect(await barriers(page)).toEqual([])
  await world.redis.hdel(key, 'failure')
  await until('the card to be calm', async () => Math.max(...(await heightsOf())) === calm)
  expect(reported).toEqual([])
})
