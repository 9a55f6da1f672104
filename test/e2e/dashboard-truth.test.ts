import type { Locator, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { barriers, launch } from '../support/browser.ts'
import { spawnOrders } from '../support/process.ts'
import { spawnRedisServer } from '../support/redis-server.ts'
import { requireChromium, requireRealRedis, requireRedisServer } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { emptyRedis, emptySqs, envOf } from '../support/world.ts'

const bodiesOf = (valid: number, invalid: number): string[] =>
  [...sampleOrders({ valid, invalid, users: 30, seed: 6 })].map(({ body }) => body)
const card = (page: Page, name: string): Locator => page.locator(`.hop[data-key="${name}"]`)
const styleOf = (page: Page, selector: string, property: string): Promise<string> =>
  page.evaluate<string>(`getComputedStyle(document.querySelector('${selector}')).getPropertyValue('${property}')`)
/** Returns how far below the top each section begins. */
const placesOf = (page: Page): Promise<number[]> =>
  page.evaluate<number[]>(
    '[...document.querySelectorAll("section")].map((section) => section.getBoundingClientRect().top)',
  )
const edgeOf = (page: Page): Promise<string> => styleOf(page, '.hop[data-key="aggregate"]', 'border-top-color')

test('a stage whose process is killed turns red with what waits for it, and calm again with a new process', async (context) => {
  requireRealRedis(context)
  requireChromium(context)
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(world.url, sqs)
  await using others = runOrders(['run', 'bridge', 'validate', 'leaderboard', 'jobs', 'api'], env)
  await using first = spawnOrders(['run', 'aggregate'], env)
  await Promise.all([others.started(), first.started()])
  await using browser = await launch()
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
  await page.goto(await others.apiUrl())
  const [state, aggregate] = [page.locator('#state'), card(page, 'aggregate')]
  await state.getByText('Live', { exact: true }).waitFor()
  await aggregate.getByText('Processes1').waitFor() // before its first order
  const calm = await edgeOf(page)

  await first.kill('SIGKILL')
  await sendBodies(env, bodiesOf(40, 5))
  await aggregate.getByText(/^No process runs aggregate\. 40 orders wait, the oldest for \d+ seconds?\.$/).waitFor()
  await state.getByText(/^Live, but: No process runs aggregate\. 40 orders wait/).waitFor()
  expect(await state.getAttribute('data-kind')).toBe('bad')
  expect(await edgeOf(page)).not.toBe(calm)
  expect(await page.locator('.hop[data-stall]').count()).toBe(1)
  expect(await barriers(page)).toEqual([])
  await page
    .locator('#failed > li')
    .getByText(/\d in the last minute/)
    .first()
    .waitFor()
  const failed = await page.locator('#failed > li').first().boundingBox()
  expect((failed?.y ?? 900) + (failed?.height ?? 0)).toBeLessThan(900) // above the fold

  await using _ = runOrders(['run', 'aggregate'], env)
  await aggregate.locator('.stall').waitFor({ state: 'hidden' })
  await state.getByText('Live', { exact: true }).waitFor()
})

test('with Redis killed under the open page, it says as of when and claims nothing, then or at a first load', async (context) => {
  requireRedisServer(context)
  requireChromium(context)
  await using redis = await spawnRedisServer()
  if (!redis) throw new Error('no redis-server')
  await using sqs = await emptySqs()
  await using line = runOrders(['run', 'bridge', 'validate', 'aggregate', 'leaderboard', 'api'], envOf(redis.url, sqs))
  await line.started()
  const url = await line.apiUrl()
  await using browser = await launch()
  const page = await browser.newPage({ timezoneId: 'Europe/Berlin', locale: 'en-GB' })
  await page.goto(url)
  const books = page.locator('.badges [data-key="books"]')
  await books.getByText('Books balance').waitFor()
  expect(await page.locator('#zone').innerText()).toMatch(/^Times in CES?T$/)
  await redis.stop('SIGKILL')
  await page.getByText(/^As of \d\d:\d\d:\d\d CES?T\. Redis does not answer; trying again\.$/).waitFor()
  await books.getByText('Books: not known').waitFor()
  expect(await books.getAttribute('data-kind')).toBeNull()
  expect(await styleOf(page, 'main', 'filter')).toBe('grayscale(1)')
  expect(await barriers(page)).toEqual([])

  const fresh = await browser.newPage()
  await fresh.goto(url)
  await fresh.getByText('Redis does not answer; trying again.').waitFor()
  const shown = await fresh.locator('main').innerText()
  expect(shown).not.toMatch(/No user|None|\b0\b/)
  expect(shown).toMatch(
    /^Redis does not answer, since \d+ \w+ \d+, [\d:]+ [^\n]+ or longer\.\n+Nothing is known until then\. This page goes on by itself\.\n+What to do: the runbook$/,
  )
  expect(await barriers(fresh)).toEqual([])
  const runbook = await browser.newPage()
  await runbook.goto(new URL((await fresh.getByRole('link', { name: 'runbook' }).getAttribute('href')) ?? '', url).href)
  await runbook.locator('section:target').getByText('Redis does not answer some processes').waitFor()
  const before = await placesOf(fresh)

  await redis.start()
  await page.locator('#state').getByText('Live', { exact: true }).waitFor()
  await books.getByText('Books balance').waitFor()
  await fresh.locator('#state').getByText('Live', { exact: true }).waitFor()
  await fresh.getByText('No user is ranked yet.').first().waitFor()
  await fresh.getByText('No order has come yet. npm run populate sends some.').waitFor()
  expect(await fresh.getByText('What to do').isVisible()).toBe(false)
  const moved = (await placesOf(fresh)).map((place, at) => Math.abs(place - (before[at] ?? 0)))
  expect(moved.filter((pixels) => pixels > 16)).toEqual([])
})
