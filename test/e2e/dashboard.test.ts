import type { Redis } from 'ioredis'
import type { Browser, Locator, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { enqueue } from '../../src/ingest/enqueue.ts'
import { makeKeys } from '../../src/keys.ts'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { rejectByBug } from '../support/broken-release.ts'
import { barriers, complaints, launch, requestsElsewhere } from '../support/browser.ts'
import { spawnOrders } from '../support/process.ts'
import { freePort, spawnRedisServer } from '../support/redis-server.ts'
import { requireChromium, requireRealRedis, requireRedisServer } from '../support/requires.ts'
import { type OrdersRun, runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { until } from '../support/until.ts'
import { adminToken, type Env, emptyRedis, emptySqs, envOf } from '../support/world.ts'

const stages = ['validate', 'aggregate', 'leaderboard']
const everything = ['run', 'bridge', ...stages, 'jobs', 'api']
const loopback = 'http://127.0.0.1'

interface Opened extends AsyncDisposable {
  readonly page: Page
  readonly browser: Browser
  readonly url: string
  readonly env: Env
  readonly line: OrdersRun
  /** Returns the faults of the page: its errors, and requests to another server. */
  readonly wrong: () => string[]
}

/** The whole line on an SQS of its own, and a browser that looks at it. */
async function open(redisUrl: string, more: Env = {}): Promise<Opened> {
  await using stack = new AsyncDisposableStack()
  const sqs = stack.use(await emptySqs())
  const env = envOf(redisUrl, sqs, more)
  const line = stack.use(runOrders(everything, env))
  await line.started()
  const url = await line.apiUrl()
  const browser = stack.use(await launch())
  const page = await browser.newPage()
  if (more['ADMIN_TOKEN'] === undefined)
    await page.addInitScript(`sessionStorage.setItem('orders-token', '${adminToken}')`)
  const [reported, asked] = [complaints(page), requestsElsewhere(page, loopback)]
  const opened = stack.move()
  return {
    page,
    browser,
    url,
    env,
    line,
    wrong: () => [...reported, ...asked],
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

const bodiesOf = (valid: number, invalid: number, seed: number): string[] =>
  [...sampleOrders({ valid, invalid, users: 30, seed })].map(({ body }) => body)

const totalOf = (page: Page, name: string): Promise<string> =>
  page.locator('.totals > div', { hasText: name }).locator('dd span').getAttribute('title').then(String)
const card = (page: Page, name: string): Locator => page.locator(`.hop[data-key="${name}"]`)
const group = (page: Page, text: string): Locator => page.locator('.failed > li', { hasText: text })

/** Returns the pixels between the rank of a user and the text of the name. */
const gapBeforeName = (page: Page, name: string): Promise<number> =>
  page.evaluate<number>(`(() => {
    const row = [...document.querySelectorAll('.board li')].find(({ textContent }) => textContent.includes('${name}'))
    const range = document.createRange()
    range.selectNodeContents(row.querySelector('.user'))
    return range.getBoundingClientRect().left - row.querySelector('.place').getBoundingClientRect().right
  })()`)

/** Gives the name that is asked for at the first action. */
async function sayName(page: Page, name = 'ann'): Promise<void> {
  await page.getByLabel('Name').fill(name)
  await page.getByRole('button', { name: 'Continue' }).click()
}

/** The heights of the cards of other stages than validate; runs in the page. That of the bridge also says what it waits for. */
const heightsOfOthers = `[...document.querySelectorAll('.hop:not([data-key="validate"]):not([data-key="bridge"])')]
  .map((card) => card.offsetHeight)`

/** Returns when the first snapshot was drawn, in ms after the page was requested. */
async function firstPaintMs(page: Page, url: string): Promise<number> {
  await page.goto(url)
  return until('the first snapshot to be drawn', () => page.evaluate<number>('window.drawnAt'))
}

test('data is there within a second, numbers and ranks move, the plots have points', async (context) => {
  requireRealRedis(context)
  requireChromium(context)
  await using world = await emptyRedis()
  await using opened = await open(world.url)
  const { page, url, env } = opened
  await sendBodies(env, bodiesOf(300, 20, 1))
  await page.addInitScript(`new MutationObserver(() => {
    if (document.body?.dataset.state === 'live') window.drawnAt ??= performance.now()
    if (document.querySelector('.hop[data-key="leaderboard"][data-flowing]')) window.flowed = true
  }).observe(document, { subtree: true, attributes: true })`)
  await until(
    'a first paint with data within a second',
    () => firstPaintMs(page, url),
    (ms) => ms < 1_000,
  )
  await until(
    'all counted',
    () => totalOf(page, 'Orders counted'),
    (reported) => reported === '300 orders counted',
  )
  await page.locator('.badges').getByText('Books balance').waitFor()

  const ranks = (): Promise<string[]> => page.locator('.board .user').allInnerTexts()
  const before = await until('full boards', ranks, ({ length }) => length === 20)
  await page.locator('.hop[data-key="leaderboard"]:not([data-flowing])').waitFor()
  await page.evaluate('window.flowed = false')
  const sent = sendBodies(env, bodiesOf(700, 0, 2))
  await until('orders to flow', () => page.evaluate<boolean>('window.flowed'))
  await until(
    'more counted',
    () => totalOf(page, 'Orders counted'),
    (reported) => reported === '1,000 orders counted',
  )
  await sent
  await until('ranks to move', ranks, (now) => now.join() !== before.join())
  const topUsers = async (): Promise<string> => {
    const top = (await (await fetch(`${url}/stats/top-users?by=orders`)).json()) as { users: { user_id: string }[] }
    return top.users.map(({ user_id }) => user_id).join()
  }
  const shown = page.locator('.boards > div', { hasText: 'By orders' }).locator('.user')
  await until(
    'the last ranks',
    async () => [(await shown.allInnerTexts()).join(), await topUsers()],
    ([names, users]) => names === users,
  )

  for (const title of ['Orders ranked and rejected a second', 'Time from SQS to rank']) {
    const plot = page.locator('figure', { hasText: title })
    await until(`points of ${title}`, async () => Number(await plot.getAttribute('data-points')) > 0)
  }
  await until('something on every canvas', () => page.evaluate<boolean>(drawn))
  expect(opened.wrong()).toEqual([])
})

/** Returns whether something is drawn on every canvas; runs in the page. */
const drawn = `[...document.querySelectorAll('canvas')].every((canvas) =>
  canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0))`

test('from a group of failed orders by a dry run to a replay, with the token asked for once', async (context) => {
  requireRealRedis(context)
  requireChromium(context)
  await using world = await emptyRedis()
  await rejectByBug(world.redis, bodiesOf(10, 0, 3))
  await using opened = await open(world.url, { ADMIN_TOKEN: 'secret-secret-16' })
  const { page, url } = opened
  await page.goto(url)
  await group(page, 'internal-error').locator('summary').click()
  await group(page, 'internal-error').getByRole('button', { name: 'Replay all' }).click()
  await sayName(page)
  await page.getByRole('textbox', { name: 'Token' }).fill('wrong')
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.getByText('That token was not accepted').waitFor()
  await page.getByRole('textbox', { name: 'Token' }).fill('secret-secret-16')
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.getByText('10 would pass the rules, 0 would not. Nothing was sent.').waitFor()
  expect(await world.redis.llen('invalid_orders')).toBe(10)
  expect(await page.locator('dialog button.main').innerText()).toBe('Replay 10 orders')
  const headers = { authorization: 'Bearer secret-secret-16', 'content-type': 'application/json' }
  const change = (to: string) => fetch(`${url}/admin/${to}/validate`, { method: 'POST', headers, body: '{}' })
  await change('pause')
  await until('the pause to be obeyed', () => opened.line.events('paused').length > 0)
  await page.getByRole('button', { name: 'Replay 10 orders' }).click()
  await page.getByText('0 of 10 judged.').waitFor()
  await page.getByRole('button', { name: 'Stop the replay' }).click()
  await page.getByText('Stopping: 10 had been sent.').waitFor()
  expect(await page.locator('dialog button.main').innerText()).toBe('Close')
  await change('resume')
  await page.getByText('Cancelled: what was not sent stays. 10 sent: 10 admitted, 0 failed again.').waitFor()
  await page.getByRole('button', { name: 'Close' }).click()
  await page.locator('#failed-none').waitFor({ state: 'visible' })
  await until(
    'all counted',
    () => totalOf(page, 'Orders counted'),
    (reported) => reported === '10 orders counted',
  )
  await page.reload()
  await page.getByRole('button', { name: 'Pause bridge' }).click()
  await page.getByRole('button', { name: 'Pause', exact: true }).click() // neither name nor token is asked again
  await card(page, 'bridge').getByText('Paused by ann').waitFor()

  const operator = page.locator('#operator')
  await operator.getByText('ann', { exact: true }).waitFor()
  expect(await page.locator('html').innerHTML()).not.toContain('secret-secret-16')
  await operator.getByRole('button', { name: 'Change operator' }).click()
  expect(await page.getByLabel('Name').inputValue()).toBe('ann')
  await sayName(page, 'ben')
  await operator.getByText('ben', { exact: true }).waitFor()
  await operator.getByRole('button', { name: 'Sign out' }).click()
  await operator.waitFor({ state: 'hidden' })
  await page.getByRole('button', { name: 'Resume bridge' }).click()
  await sayName(page, 'cleo')
  await page.getByText('Admin token required').waitFor()
  expect(opened.wrong().filter((reported) => !reported.includes('401'))).toEqual([])
})

test('an order is edited and retried, another discarded; hostile ones are shown as text', async (context) => {
  requireRealRedis(context)
  requireChromium(context)
  await using world = await emptyRedis()
  await using opened = await open(world.url)
  const { page, url, env } = opened
  const arabic = 'مستخدم'
  const hidden = [
    ['\u202eevil user', '\\u{202e}evil user'],
    ['  ', '\\u{20}\\u{20}'],
    [arabic, arabic],
  ]
  const html = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>`
  const items = [{ product_id: 'P1', quantity: 1, price_per_unit: 9 }]
  await sendBodies(env, [
    JSON.stringify({ user_id: html, order_id: 'a', order_value: 1, items: null }),
    ...hidden.map(([user_id], at) =>
      JSON.stringify({ user_id, order_id: `hidden-${at}`, order_value: 2, items: null }),
    ),
    JSON.stringify({ user_id: 'bob', order_id: html, order_value: 10, items }).replace('10', '10.00'),
    html,
  ])
  await page.goto(url)
  await page.locator('.board').getByText(html).first().waitFor()
  await group(page, 'malformed-json').locator('summary').click()
  await group(page, 'malformed-json').locator('pre').getByText(html).waitFor()
  await page.locator('.board').first().getByText(arabic).waitFor()
  expect(await page.locator('.board').first().locator('.user').allInnerTexts()).toEqual(
    expect.arrayContaining(hidden.map(([, shown]) => shown)),
  )
  expect(await gapBeforeName(page, arabic)).toBeLessThan(12) // not glued to its amount
  expect(await page.locator('main img, main script, main iframe').count()).toBe(0)
  expect(await page.evaluate('window.hacked')).toBeUndefined()

  const wrongTotal = group(page, 'total-mismatch')
  await wrongTotal.locator('summary').click()
  await wrongTotal.locator('pre').getByText('"order_value": 10.00').waitFor()
  await wrongTotal.getByRole('button', { name: 'Edit and retry' }).click()
  const text = page.getByLabel('Order (JSON)')
  const given = await text.inputValue()
  expect(given).toContain('"order_value": 10.00') // as it was written
  await requeueAfterTrouble(page, given.replace('10.00', '8'))
  const result = wrongTotal.locator('.result')
  await result.getByText('Rejected again: Calculated total (9) does not match order_value (8).').waitFor()
  expect(await wrongTotal.locator('pre').isVisible()).toBe(false)
  await result.getByRole('button', { name: 'Edit again' }).click()
  await wrongTotal.locator('.about').getByText('Rejected 2 times').waitFor()
  expect(await wrongTotal.locator('.about').innerText()).toContain('Edited by ann.')
  await text.fill(given.replace('10.00', '9'))
  await page.getByRole('button', { name: 'Requeue' }).click()
  await result.getByText(`Admitted: order \u2068${html}\u2069 of \u2068bob\u2069.`).waitFor()
  for (const [link, reply] of [
    ['Totals of the user', { user_id: 'bob', order_count: 1, total_spend: 9 }],
    ['Trace of the order', { user_id: 'bob', order_id: html }],
  ] as const) {
    const href = await result.getByRole('link', { name: link }).getAttribute('href')
    await until(`the reply of ${link}`, async () => {
      const found: unknown = await (await fetch(new URL(href ?? '', `${url}/`))).json()
      return JSON.stringify(found).includes(JSON.stringify(reply).slice(1, -1))
    })
  }
  await wrongTotal.locator('summary strong').getByText('0', { exact: true }).waitFor() // and it is still there
  await result.getByRole('button', { name: 'Dismiss' }).click()
  await wrongTotal.waitFor({ state: 'detached' })
  expect(await page.evaluate('document.activeElement.tagName')).toBe('SUMMARY')

  await group(page, 'malformed-json').getByRole('button', { name: 'Discard' }).click()
  expect(await page.locator('dialog button.main').innerText()).toBe('Cancel')
  await page.getByLabel('Reason').fill('no order')
  await page.getByRole('button', { name: 'Discard', exact: true }).click()
  await group(page, 'malformed-json').getByText('Discarded the order.').waitFor()
  await page.getByRole('button', { name: 'Dismiss' }).click()
  await page.locator('#failed-none').waitFor({ state: 'visible' })
  expect(await world.redis.xlen('orders:discarded')).toBe(1)
  const expected = /ERR_INTERNET_DISCONNECTED|401|422/
  expect(opened.wrong().filter((reported) => !expected.test(reported))).toEqual([])
})

/** Changes the text in the open editor, tries all that could lose it (an error in it, each way out, an API that refuses), and sends it. */
async function requeueAfterTrouble(page: Page, changed: string): Promise<void> {
  const text = page.getByLabel('Order (JSON)')
  const requeue = page.getByRole('button', { name: 'Requeue' })
  const kept = async (): Promise<void> => expect(await text.inputValue()).toBe(changed)
  const caret = (): Promise<number> => page.evaluate<number>('document.activeElement.selectionStart')
  const question = page.getByText('Drop your changes?')
  const asked = async (answer: () => Promise<void>): Promise<void> => {
    await question.waitFor()
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Keep editing')
    await answer()
    await question.waitFor({ state: 'detached' })
    await kept()
  }
  expect(await caret()).toBe(0)
  await page.getByRole('button', { name: 'Cancel' }).click() // unchanged: not asked
  await text.waitFor({ state: 'detached' })
  await page.keyboard.press('Enter') // the focus is back

  await text.fill(changed.replace(',', ''))
  await requeue.click()
  await page.getByText(/^Line 2, column \d+: expected a comma\.$/).waitFor()
  expect(await caret()).toBe(changed.indexOf(','))
  await page.keyboard.type(',')
  await kept()
  await page.locator('#edit-fault:empty').waitFor({ state: 'attached' })

  await page.keyboard.press('Escape')
  await asked(() => page.keyboard.press('Enter'))
  await page.getByRole('button', { name: 'Cancel' }).click()
  await asked(() => page.keyboard.press('Escape'))
  await page.mouse.click(5, 5)
  await asked(() => page.getByRole('button', { name: 'Keep editing' }).click())
  await page.evaluate("document.querySelector('dialog').close()") // as a browser does at a second Escape
  await asked(() => page.keyboard.press('Enter'))
  const leaving = page.waitForEvent('dialog')
  await page.evaluate('void setTimeout(() => location.reload())')
  const warning = await leaving
  expect(warning.type()).toBe('beforeunload')
  await warning.dismiss()
  await kept()

  await page.context().setOffline(true)
  await requeue.click()
  await sayName(page)
  await page.getByText('The API does not answer: check that it runs, then try again.').waitFor()
  await page.context().setOffline(false)
  await kept()
  await text.fill('[]')
  await requeue.click()
  await page.getByText(/^Not sent, and your text is kept here\. .+object/).waitFor()
  expect(await text.inputValue()).toBe('[]')
  await text.fill(changed)
  await page.evaluate("sessionStorage.setItem('orders-token', 'expired')")
  await requeue.click()
  await page.getByText('That token was not accepted').waitFor()
  await page.getByRole('button', { name: 'Cancel' }).last().click()
  await page.getByText('Not sent, and your text is kept here.').waitFor()
  await kept()
  await requeue.click()
  await page.getByRole('textbox', { name: 'Token' }).fill(adminToken)
  await page.getByRole('button', { name: 'Continue' }).click()
  await text.waitFor({ state: 'detached' })
}

/** Returns the buttons that the notice lies over; runs in the page. */
const coveredButtons = `(() => {
  const notice = document.querySelector('#notice').getBoundingClientRect()
  return [...document.querySelectorAll('main button:not([data-explained])')].flatMap((button) => {
    const { left, right, top, bottom } = button.getBoundingClientRect()
    const apart = left > notice.right || right < notice.left || top > notice.bottom || bottom < notice.top
    return apart || right === left ? [] : [button.getAttribute('aria-label')]
  })
})()`

test('a stage is paused and resumed, and everybody sees by whom and why', async (context) => {
  requireRealRedis(context)
  requireChromium(context)
  await using world = await emptyRedis()
  await using opened = await open(world.url)
  const { page, url, env, browser, line } = opened
  await page.setViewportSize({ width: 375, height: 800 })
  await page.goto(url)
  await page.getByRole('button', { name: 'Pause validate' }).click()
  const heights = (): Promise<number[]> => page.evaluate<number[]>(heightsOfOthers)
  const before = await heights()
  await page.getByLabel('Reason').fill(`a new rule comes, ${'which takes long to say '.repeat(22)}`)
  await page.getByRole('button', { name: 'Pause', exact: true }).click()
  await sayName(page)
  await page.locator('#notice').getByText('validate is paused').waitFor()
  expect(await page.evaluate(coveredButtons)).toEqual([])
  const paused = 'Paused by ann'
  await card(page, 'validate').getByText(paused).waitFor()
  expect(await heights()).toEqual(before)
  const lines = `(() => {
    const text = document.querySelector('.hop[data-key="validate"] .paused p')
    return text.clientHeight / parseFloat(getComputedStyle(text).lineHeight)
  })()`
  expect(Math.round(await page.evaluate<number>(lines))).toBe(2)
  await card(page, 'validate').getByRole('button', { name: 'more about the pause of validate' }).click()
  await page
    .locator('#explanation')
    .getByText(/^Paused by ann on .* UTC\)?: a new rule comes, .*to say\s*$/)
    .waitFor()
  await page.keyboard.press('Escape')
  await page.locator('#explanation').waitFor({ state: 'hidden' })
  const other = await browser.newPage()
  await other.goto(url)
  await card(other, 'validate').getByText('a new rule comes').waitFor()
  await until('it to be obeyed', () => line.events('paused').length > 0)
  await sendBodies(env, bodiesOf(50, 0, 4))
  await until(
    '50 to wait',
    () => totalOf(other, 'Waiting'),
    (reported) => reported === '50 orders wait for a stage',
  )
  await page.getByRole('button', { name: 'Resume validate' }).click()
  await until(
    'all counted',
    () => totalOf(other, 'Orders counted'),
    (reported) => reported === '50 orders counted',
  )
  await card(page, 'validate').getByText(paused).waitFor({ state: 'hidden' })
  expect(opened.wrong()).toEqual([])
})

test('it says since when it is stale, with the API or Redis away, and goes on by itself', async (context) => {
  requireRedisServer(context)
  requireChromium(context)
  await using redis = await spawnRedisServer()
  if (!redis) throw new Error('no redis-server')
  const env = envOf(redis.url, undefined, { API_PORT: `${await freePort()}` })
  await using first = spawnOrders(['run', 'api'], env)
  const url = await first.apiUrl()
  await using browser = await launch()
  const page = await browser.newPage()
  await page.goto(url)
  const state = page.locator('#state')
  await state.getByText('Live').waitFor()
  await first.kill('SIGKILL')
  await state.getByText(/As of \d\d:\d\d:\d\d \S+\. The API does not answer; trying again\./).waitFor()
  await using second = runOrders(['run', 'api'], env)
  await second.started()
  await state.getByText('Live').waitFor()
  await redis.stop()
  await state.getByText(/As of \d\d:\d\d:\d\d \S+\. Redis does not answer; trying again\./).waitFor()
  await redis.start()
  await state.getByText('Live').waitFor()
})

/** Valid and invalid orders, and one of millions. */
const mixed = [...bodiesOf(50, 20, 5), JSON.stringify({ user_id: 'rich', order_id: '1', order_value: 4_000_000.55 })]

test('every label is explained by pointer, keyboard and tap, and a wide screen is used', async (context) => {
  requireRealRedis(context)
  requireChromium(context)
  await using world = await emptyRedis()
  await using opened = await open(world.url, { CURRENCY: 'EUR' })
  await sendBodies(opened.env, mixed)
  await explainedEverywhere(opened.browser, opened.url)
  expect(opened.wrong()).toEqual([])
})

test('nothing stands in the way of anybody: light and dark, wide and on a phone', async (context) => {
  requireRealRedis(context)
  requireChromium(context)
  await using world = await emptyRedis()
  await using opened = await open(world.url, { CURRENCY: 'EUR' })
  const { browser, url, env } = opened
  await sendBodies(env, mixed)
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1280, 375]) {
      const page = await browser.newPage({ colorScheme, viewport: { width, height: 800 }, reducedMotion: 'reduce' })
      await page.goto(url)
      await group(page, 'bad-items').locator('summary').press('Enter')
      await group(page, 'bad-items').locator('pre').getByText('two of each').waitFor()
      expect([colorScheme, width, await barriers(page)]).toEqual([colorScheme, width, []])
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
      await page.getByRole('button', { name: 'Pause validate' }).press('Enter')
      expect(await page.evaluate('document.activeElement.name')).toBe('reason')
      expect([colorScheme, width, await barriers(page)]).toEqual([colorScheme, width, []])
      await page.keyboard.press('Escape')
      expect(await page.evaluate('document.activeElement.textContent')).toBe('Pause')
      await page.close()
    }
  }
  expect(opened.wrong()).toEqual([])
})

test('an order is corrected by keyboard alone; while another is edited, 10,000 fail and move nothing away', async (context) => {
  requireRealRedis(context)
  requireChromium(context)
  await using world = await emptyRedis()
  await using opened = await open(world.url)
  const { browser, url, env } = opened
  await sendBodies(env, mixed)
  const page = await browser.newPage({ reducedMotion: 'reduce' })
  await page.addInitScript(`sessionStorage.setItem('orders-token', '${adminToken}')`)
  await fixByKeyboard(page, url)
  await floodWhileEditing(page, world.redis)
  expect(opened.wrong()).toEqual([])
})

/** Presses Tab until an element with this text has the focus. */
async function tabTo(page: Page, text: string): Promise<void> {
  for (let pressed = 0; pressed < 40; pressed++) {
    await page.keyboard.press('Tab')
    if (await page.evaluate<boolean>(`document.activeElement.textContent.includes(${JSON.stringify(text)})`)) return
  }
  throw new Error(`No Tab leads to "${text}".`)
}

/** Does what docs/how-to/replay-and-correct.md says for the keyboard, with key presses only. */
async function fixByKeyboard(page: Page, url: string): Promise<void> {
  await page.goto(`${url}/#failed-title`)
  await group(page, 'bad-items').waitFor()
  await tabTo(page, 'bad-items')
  await page.keyboard.press('Enter')
  await group(page, 'bad-items').locator('pre').getByText('two of each').waitFor()
  await tabTo(page, 'Replay all')
  await page.keyboard.press('Enter')
  await page.getByLabel('Name').waitFor()
  await page.keyboard.type('kim')
  await page.keyboard.press('Enter')
  await page.getByText(/^0 would pass the rules, \d+ would not/).waitFor()
  expect(await page.locator('dialog button.main').allInnerTexts()).toEqual(['Close'])
  expect(await page.locator('dialog button.quiet').allInnerTexts()).toEqual(['Replay all the same'])
  await page.keyboard.press('Escape')
  await tabTo(page, 'Edit and retry')
  await page.keyboard.press('Enter')
  await page.keyboard.press('Control+A')
  await page.keyboard.type('{"user_id": "kim", "order_id": "k-1", "order_value": 5 "items": null}')
  await tabTo(page, 'Requeue')
  await page.keyboard.press('Enter')
  await page.getByText('Line 1, column 55: expected a comma.').waitFor()
  expect(await barriers(page, 'dialog')).toEqual([])
  await page.keyboard.type(',')
  await tabTo(page, 'Requeue')
  await page.keyboard.press('Enter')
  const result = group(page, 'bad-items').locator('.result')
  await result.getByText('Admitted: order \u2068k-1\u2069 of \u2068kim\u2069.').waitFor()
  expect(await barriers(page, '.result:not([hidden])')).toEqual([])
  expect(await page.evaluate('document.activeElement.textContent')).toBe('Dismiss')
  await page.keyboard.press('Enter')
  await result.waitFor({ state: 'hidden' })
}

/** While an order is edited, 10,000 others fail: nothing moves away under the hands. */
async function floodWhileEditing(page: Page, redis: Redis): Promise<void> {
  const keys = (): Promise<string[]> =>
    page.evaluate<string[]>("[...document.querySelectorAll('.failed > li')].map(({ dataset }) => dataset.key)")
  const failing = group(page, 'missing-field').first()
  // The order comes only after the dimmed button was seen: a click before would edit nothing.
  const dimmed = failing.getByRole('button', { name: 'Edit and retry', disabled: true }).waitFor()
  await page.route('**/orders/invalid/*', async (route) => {
    await dimmed
    await route.continue()
  })
  await failing.locator('summary').click()
  await failing.getByRole('button', { name: 'Edit and retry', disabled: false }).click()
  const text = page.getByLabel('Order (JSON)')
  await text.fill('{"user_id": "kim", "order_id": "k-2", "order_value": 6}')
  const before = await keys()
  // Looked for from here on: a minute later, which a busy machine may take, the flood is of the minute before.
  const rising = page
    .getByText(/\d{3} in the last minute, rising, last/)
    .first()
    .waitFor({ timeout: 90_000 })
  const bodies = ['{', '[]', '{"user_id":"u","order_id":"o"}', '{"user_id":"u","order_id":"o","order_value":-1}']
  for (let from = 0; from < 10_000; from += 500) {
    const records = Array.from({ length: 500 }, (_, at) => ({ id: `flood ${from + at}`, body: bodies[at % 4] ?? '' }))
    await enqueue(redis, makeKeys(), records)
  }
  const counted = (): Promise<number> =>
    page.evaluate<number>(`[...document.querySelectorAll('.failed summary strong')].reduce((sum, { title }) =>
      sum + Number(title.replace(/\\D/g, '')), 0)`)
  await until('the flood on the page', counted, (count) => count > 10_000)
  await rising
  expect((await keys()).slice(0, before.length)).toEqual(before)
  expect(await text.inputValue()).toContain('k-2')
  await page.getByRole('button', { name: 'Requeue' }).click()
  await page.getByText('Admitted: order \u2068k-2\u2069 of \u2068kim\u2069.').waitFor()
  expect((await keys()).slice(0, before.length)).toEqual(before)
}

/** Every label has its sentence by pointer, keyboard and tap; Escape hides it; fingers have room; a wide screen is used. */
async function explainedEverywhere(browser: Browser, url: string): Promise<void> {
  const page = await browser.newPage({ viewport: { width: 1800, height: 1000 }, timezoneId: 'Europe/Berlin' })
  await page.goto(url)
  const [explanation, revenue] = [page.locator('#explanation'), page.getByRole('button', { name: 'Revenue' })]
  await page.locator('.totals > div', { hasText: 'Revenue' }).locator('small', { hasText: 'EUR' }).waitFor()
  expect(await page.locator('.totals > div', { hasText: 'Revenue' }).innerText()).toMatch(
    /^Revenue\nEUR\s[\d.]+\sM\nEUR\s\d,\d{3},\d{3}\.\d\d$/,
  )
  await page.getByText('By spend in EUR').waitFor()
  const labels = page.locator('.label')
  const unexplained = await page.evaluate<string[]>(`[...document.querySelectorAll('dt, .rate, #plots h3, #boards h3')]
    .filter((place) => !document.getElementById(place.querySelector('.label')?.getAttribute('aria-describedby'))?.textContent)
    .map((place) => place.textContent)`)
  expect([unexplained, (await labels.count()) > 30]).toEqual([[], true])
  expect(await card(page, 'bridge').getByText('Waiting').count()).toBe(0) // SQS shows it
  await revenue.hover()
  await explanation.getByText(/^The sum of all counted orders\. Now: EUR\s\d,\d{3},\d{3}\.\d\d\.$/).waitFor()
  await page.keyboard.press('Escape')
  await explanation.waitFor({ state: 'hidden' })
  await page.mouse.move(0, 0)
  await page.getByRole('button', { name: 'Pause validate' }).focus()
  await page.keyboard.press('Tab')
  await explanation.getByText('Orders that this stage finished each second').waitFor()
  expect(await barriers(page)).toEqual([])
  await page.keyboard.press('Tab')
  await explanation.getByText('Orders that have come to this stage and are not finished').waitFor()
  const [pipeline, failed, boards] = await Promise.all(
    ['.of-pipeline', '.of-failed', '.of-boards'].map((section) => page.locator(section).boundingBox()),
  )
  expect([failed?.y, boards?.y]).toEqual([pipeline?.y, pipeline?.y])
  const axis = await page.evaluate<number>(
    "document.querySelector('.uplot').getBoundingClientRect().right - document.querySelector('.u-over').getBoundingClientRect().right",
  )
  expect(axis).toBeGreaterThan(18) // half of "02:10"
  await page.goto(`${url}/runbook`)
  expect(await barriers(page)).toEqual([])
  expect(await page.locator('main').innerText()).not.toMatch(/```|\]\(|^\|/m) // no Markdown is left
  await page.close()

  const phone = await browser.newContext({ hasTouch: true, isMobile: true, viewport: { width: 390, height: 844 } })
  const touched = await phone.newPage()
  await touched.goto(url)
  await touched.getByRole('button', { name: 'Failed now' }).tap()
  await touched.locator('#explanation').getByText('Orders that wait in the invalid channel').waitFor()
  await touched.getByRole('heading', { name: 'Totals' }).tap()
  await touched.locator('#explanation').waitFor({ state: 'hidden' })
  await group(touched, 'bad-items').locator('summary').tap()
  const buttonOf = (name: string) => group(touched, 'bad-items').getByRole('button', { name }).boundingBox()
  const [discard, edit] = await Promise.all([buttonOf('Discard'), buttonOf('Edit and retry')])
  expect((discard?.y ?? 0) - (edit?.y ?? 0) - (edit?.height ?? 0)).toBeGreaterThan(15)
  const small =
    "[...document.querySelectorAll('button, summary, nav a')].filter((target) => target.offsetHeight < 44 && target.checkVisibility()).map((target) => target.textContent)"
  expect(await touched.evaluate<string[]>(small)).toEqual([])
  await phone.close()
}
