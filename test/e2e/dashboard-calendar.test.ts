import type { Browser, Locator, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { openApi } from '../../src/api/server.ts'
import type { PartitionScope } from '../../src/app.ts'
import { addDays } from '../../src/calendar/dates.ts'
import { readConfig } from '../../src/config/config.ts'
import { enqueue } from '../../src/ingest/enqueue.ts'
import { ensureGroups } from '../../src/stages/runner/groups.ts'
import { barriers, complaints, launch, requestsElsewhere } from '../support/browser.ts'
import { requireChromium, requireRealRedis } from '../support/requires.ts'
import { runInTwoLoops } from '../support/running-stages.ts'
import { withCalendar } from '../support/stages.ts'
import { until } from '../support/until.ts'
import { appOn, type Env, emptyRedis } from '../support/world.ts'

/** The clock of the API stands still, so that no day ends during a test. */
const now = new Date()
const timezone = 'Europe/Berlin'
const settings = {
  ...{ API_PORT: '0', AWS_ENDPOINT_URL: 'http://127.0.0.1:9', BLOCK_MS: '500', CURRENCY: 'EUR' },
  ...{ REPORT_TIMEZONE: timezone, CALENDAR_KEEP: 'days:35,weeks:5,months:25' },
}
const written = (day: string): string =>
  new Date(day).toLocaleDateString('en-GB', { dateStyle: 'medium', timeZone: 'UTC' })
const stillOpen = 'Still open: late orders count, too.'

/** All stages and an API in this process, and a browser. */
async function open() {
  await using stack = new AsyncDisposableStack()
  const world = stack.use(await emptyRedis())
  const appWith = (more: Env): PartitionScope => {
    const config = readConfig({ REDIS_URL: world.url, ...settings, ...more })
    const pipeline = more['CALENDAR'] === 'off' ? withCalendar.without('calendar') : withCalendar
    return appOn(world.redis, config, { pipeline, now: () => now })
  }
  const app = appWith({})
  await ensureGroups(app)
  stack.use(runInTwoLoops(app, withCalendar.stages))
  const { url } = stack.use(await openApi(app))
  const { url: offUrl } = stack.use(await openApi(appWith({ CALENDAR: 'off' })))
  const browser = stack.use(await launch())
  let sent = 0
  const opened = stack.move()
  return {
    ...{ url, offUrl, browser, redis: world.redis, today: app.format.calendar.dayAt(now.getTime()) },
    send: (...bodies: object[]) =>
      enqueue(
        world.redis,
        app.keys,
        bodies.map((body) => ({ id: `m${sent++}`, body: JSON.stringify(body) })),
      ),
    get: async (path: string) => JSON.parse(await (await fetch(`${url}${path}`)).text()),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

const order = (user: string, id: string, value: number, day: string): object => {
  return { user_id: user, order_id: id, order_value: value, order_timestamp: `${day}T00:00:00` }
}

/** Returns the rows of a board: place, user and score. */
const rowsOf = async (page: Page, title: string): Promise<string[]> => {
  const rows = await page.locator('#boards > div', { hasText: title }).locator('li').allInnerTexts()
  return rows.map((text) => text.replaceAll('\n', ' '))
}
const showsRows = (page: Page, ...rows: string[]) =>
  until(
    `the rows ${rows.join(', ')}`,
    () => rowsOf(page, 'By spend'),
    (shown) => shown.join() === rows.join(),
  )
const amountText = (amount: number): string => amount.toLocaleString('en', { minimumFractionDigits: 2 })
const kindOf = (page: Page, name: string): Locator => page.locator('#period').getByText(name, { exact: true })
const says = (page: Page, text: string): Promise<void> => page.locator('#period-text').getByText(text).waitFor()

test('the leaderboards of a day, week or month, and the plots of 30 days, are those of the API', async (context) => {
  requireRealRedis(context)
  requireChromium(context)
  await using system = await open()
  const { url, browser, today, send, get } = system
  const yesterday = addDays(today, -1)
  const ordersToday = async () => (await get('/stats/daily')).days.at(-1).orders
  await send(
    order('ada', '1', 20, yesterday),
    order('ada', '2', 1_000.5, today),
    order('ada', '3', 100, today),
    order('ben', '4', 3, today),
    order('cleo', '5', 9, addDays(today, -20)),
  )
  await until('the orders of today', ordersToday, (orders) => orders === 3)
  await send({ event: 'order.cancelled', user_id: 'ada', order_id: '1', order_timestamp: `${today}T00:00:00` })
  await until('the cancellation', ordersToday, (orders) => orders === 2)

  const page = await browser.newPage()
  const wrong = [complaints(page), requestsElsewhere(page, url)]
  await staysInPlace(page, url)
  await showsDays(page, system, yesterday)
  await showsOtherPeriods(page, system)
  await page.reload() // the browser keeps the kind
  await kindOf(page, 'Day').click()
  await page.reload()
  await says(page, `${written(today)} in`)
  await showsPlots(page, await get('/stats/daily'))
  expect(wrong).toEqual([[], []])
  await marksOldNumbers(page)
  await saysWhatFails(page, system)
  await page.close()
  await withoutBarriers(browser, url)
  await withoutCalendar(browser, system.offUrl)
})

/** Opens the page. From the plots on no section moves away from those above when the first snapshot and the days come. */
async function staysInPlace(page: Page, url: string): Promise<void> {
  const shown = Promise.withResolvers<void>()
  await page.route('**/live', async (route) => {
    await shown.promise
    await route.continue()
  })
  await page.goto(url)
  const before = await page.evaluate<number[]>(places)
  shown.resolve()
  await page.getByText('today so far').first().waitFor()
  const moved = (await page.evaluate<number[]>(places)).map((place, at) => Math.abs(place - (before[at] ?? 0)))
  expect(moved.filter((pixels) => pixels > 16)).toEqual([])
}

/** Returns how far below the plots the sections after them begin; runs in the page. */
const places = `(() => {
  const topOf = (name) => document.querySelector(name).getBoundingClientRect().top
  return ['.of-days', '.of-boards'].map((name) => topOf(name) - topOf('.of-plots'))
})()`

type System = Awaited<ReturnType<typeof open>>

async function showsDays(page: Page, { today, send }: System, yesterday: string): Promise<void> {
  await says(page, 'Of all time.')
  await showsRows(page, '1 ada 1,100.50', '2 cleo 9.00', '3 ben 3.00')
  await kindOf(page, 'Day').click()
  await showsRows(page, '1 ada 1,080.50', '2 ben 3.00') // less what was cancelled today
  expect(await rowsOf(page, 'By orders')).toEqual(['1 ben 1', '2 ada 1'])
  await says(page, `${written(today)} in ${timezone}. ${stillOpen}`)
  await page.getByRole('button', { name: 'The day before' }).click()
  await showsRows(page, '1 ada 20.00')
  await says(page, `${written(yesterday)} in ${timezone}. ${stillOpen}`)
  expect(await page.locator('.period').innerText()).toBe('Yesterday')
  const after = page.getByRole('button', { name: 'The day after' })
  await after.click()
  await showsRows(page, '1 ada 1,080.50', '2 ben 3.00')
  expect(await after.getAttribute('aria-disabled')).toBe('true')
  await send(order('dan', '6', 5_000, today))
  await showsRows(page, '1 dan 5,000.00', '2 ada 1,080.50', '3 ben 3.00') // by itself
}

/** Goes by keyboard alone. */
async function showsOtherPeriods(page: Page, { get }: System): Promise<void> {
  await page.getByRole('radio', { name: 'Day' }).focus()
  for (const kind of ['week', 'month']) {
    await page.keyboard.press('ArrowRight')
    const { from, to, users } = await get(`/stats/top-users?period=this-${kind}`)
    await says(page, `${written(from)} to ${written(to)} in ${timezone}. ${stillOpen}`)
    await showsRows(page, ...users.map(rowText))
    expect(await page.locator('.period').innerText()).toBe(`This ${kind}`)
  }
  await page.keyboard.press('Tab')
  for (const _ of [1, 2, 3]) await page.keyboard.press('Enter')
  await says(page, `in ${timezone}. Closed: no order changes it any more.`)
  const none = 'No user has an order on these days.'
  expect(await page.locator('.boards > div > :not(h3):visible').allInnerTexts()).toEqual([none, none])
  await page.keyboard.press('Shift+Tab')
  await page.keyboard.press('ArrowLeft')
  const before = page.getByRole('button', { name: 'The week before' })
  await page.keyboard.press('Tab')
  for (const disabled of [...Array(5).fill('false'), 'true']) {
    expect(await before.getAttribute('aria-disabled')).toBe(disabled)
    await page.keyboard.press('Enter')
  }
  const { calendar } = await get('/live/snapshot')
  expect(await page.locator('.period').getAttribute('title')).toBe(calendar.periods[1].oldest)
}

const rowText = ({ user_id, score }: { user_id: string; score: number }, at: number): string =>
  `${at + 1} ${user_id} ${amountText(score)}`

type Day = Readonly<Record<'orders' | 'revenue' | 'cancelled' | 'refunded', number>> & { readonly day: string }

async function showsPlots(page: Page, { days, from, to }: { days: Day[]; from: string; to: string }): Promise<void> {
  const section = page.locator('.of-days')
  await section.getByText(`${written(from)} to ${written(to)} in ${timezone}. ${stillOpen}`).waitFor()
  expect(await section.getByRole('heading', { level: 2 }).innerText()).toBe('The last 30 days')
  const sumOf = (name: 'orders' | 'revenue'): number => days.reduce((sum, day) => sum + day[name], 0)
  const last = days.at(-1)
  expect(await page.evaluate(labels)).toEqual([
    `Revenue a day in EUR over the last 30 days: EUR\u00a0${amountText(sumOf('revenue'))} in all, EUR\u00a0${amountText(last?.revenue ?? 0)} today so far`,
    `Orders a day over the last 30 days: ${sumOf('orders')} in all, ${last?.orders} today so far`,
  ])
  const points = section.locator('figure')
  expect(await Promise.all([0, 1].map((at) => points.nth(at).getAttribute('data-points')))).toEqual(
    (['revenue', 'orders'] as const).map((name) => `${days.filter((day) => day[name] > 0).length}`),
  )
  expect(await page.evaluate<boolean>(drawn)).toBe(true)
  await section.locator('summary').press('Enter')
  const cells = ({ day, orders, revenue, cancelled, refunded }: Day): string =>
    [written(day).slice(0, -5), `${orders}`, ...[revenue, cancelled, refunded].map(amountText)].join('\t')
  expect(await section.locator('tbody tr').allInnerTexts()).toEqual(days.map(cells).toReversed())
  await section.locator('.u-over').first().hover()
  await section.getByText(/^\d+ \w+ \d{4} {2}revenue EUR/).waitFor()
}

const labels = `[...document.querySelectorAll('#days [role=img]')].map((image) => image.getAttribute('aria-label'))`
/** Returns whether something is drawn on both canvases; runs in the page. */
const drawn = `[...document.querySelectorAll('#days canvas')].every((canvas) =>
  canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0))`

/** While a period is read, the numbers of the one before are still there: they must not look like its own. */
async function marksOldNumbers(page: Page): Promise<void> {
  const isOld = () => page.locator('#boards').getAttribute('aria-busy')
  const held = Promise.withResolvers<void>()
  await page.route('**/stats/top-users**', async (route) => {
    await held.promise
    await route.continue()
  })
  await kindOf(page, 'Week').click()
  await until('the old numbers to be marked', isOld, (old) => old === 'true')
  held.resolve()
  await until('the new numbers', isOld, (old) => old === 'false')
  await page.unroute('**/stats/top-users**')
}

async function saysWhatFails(page: Page, { get, redis }: System): Promise<void> {
  const { period } = await get('/stats/top-users?period=this-month')
  await redis.set(`leaderboard:${period}:spend`, 'no leaderboard')
  await kindOf(page, 'Month').click()
  await says(page, 'Not known: ')
  expect(await page.locator('.board li').count()).toBe(0)
  await redis.del(`leaderboard:${period}:spend`)
  await kindOf(page, 'All time').click()
  await says(page, 'Of all time.')
  expect(await page.locator('.board li').count()).toBe(8)
}

async function withoutBarriers(browser: Browser, url: string): Promise<void> {
  for (const width of [1280, 375]) {
    const [touch, viewport] = [width === 375, { width, height: 800 }]
    const context = await browser.newContext({ viewport, hasTouch: touch, isMobile: touch })
    const page = await context.newPage()
    await page.goto(url)
    await page.locator('.of-days summary').click()
    await kindOf(page, 'Week').click()
    await says(page, stillOpen)
    await page.locator('.of-days').getByText(stillOpen).waitFor()
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      expect([colorScheme, width, await barriers(page)]).toEqual([colorScheme, width, []])
    }
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
    expect(await page.evaluate(unexplained)).toEqual([])
    if (touch) expect([await page.evaluate(small), await page.evaluate(stretched)]).toEqual([[], []])
    await context.close()
  }
}

const unexplained = `[...document.querySelectorAll('#days h3, #boards h3')]
  .filter((place) => !document.getElementById(place.querySelector('.label')?.getAttribute('aria-describedby'))?.textContent)
  .map((place) => place.textContent)`
/** Returns what a finger may miss; runs in the page. */
const small = `[...document.querySelectorAll('#period :is(button, label), .of-days summary')]
  .filter(({ offsetHeight, offsetWidth }) => offsetHeight < 44 || offsetWidth < 44).map(({ textContent }) => textContent)`
/** Returns the cards that are higher than what they hold; runs in the page. */
const stretched = `[...document.querySelectorAll('.hop')]
  .filter((card) => card.getBoundingClientRect().bottom - card.lastElementChild.getBoundingClientRect().bottom > 16)
  .map(({ dataset }) => dataset.key)`

async function withoutCalendar(browser: Browser, url: string): Promise<void> {
  const page = await browser.newPage()
  const asked: string[] = []
  page.on('request', (request) => asked.push(request.url()))
  await page.goto(url)
  await showsRows(page, '1 dan 5,000.00', '2 ada 1,100.50', '3 cleo 9.00', '4 ben 3.00')
  expect(await page.getByRole('radio').count()).toBe(0)
  expect(await page.locator('.of-days').isVisible()).toBe(false)
  expect(await page.locator('#period-text').innerText()).toBe('')
  expect(asked.filter((one) => one.includes('/stats/'))).toEqual([])
}
