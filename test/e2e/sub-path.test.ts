import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { rejectByBug } from '../support/broken-release.ts'
import { complaints, launch, requestsElsewhere } from '../support/browser.ts'
import { openPrefixProxy } from '../support/prefix-proxy.ts'
import { requireChromium, requireRealRedis } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { type Env, emptyRedis, envOf } from '../support/world.ts'

const login = { httpCredentials: { username: 'ann', password: 'secret-secret-16' } }

/** An API behind a proxy that serves it at /orders-app, and a browser. */
async function behindProxy(redisUrl: string, more: Env = {}) {
  await using stack = new AsyncDisposableStack()
  const api = stack.use(
    runOrders(['run', 'api'], envOf(redisUrl, undefined, { ADMIN_TOKEN: 'secret-secret-16', ...more })),
  )
  const direct = await api.apiUrl()
  const { url } = stack.use(await openPrefixProxy(direct, '/orders-app'))
  const browser = stack.use(await launch())
  const opened = stack.move()
  return { url, direct, browser, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

/** Collects the faults of a page: its errors, and requests for anything that is not under `url`. */
function faults(page: Page, url: string): () => string[] {
  const [reported, asked] = [complaints(page), requestsElsewhere(page, `${url}/`)]
  return () => [...reported, ...asked]
}

test('the dashboard lives at a sub-path, is written from there, and shows a name of any script', async (context) => {
  requireRealRedis(context)
  requireChromium(context)
  await using world = await emptyRedis()
  await rejectByBug(world.redis, ['{"user_id":"u","order_id":"o","order_value":1}'])
  await using proxied = await behindProxy(world.url)
  const page = await proxied.browser.newPage()
  const wrong = faults(page, proxied.url)
  await page.goto(`${proxied.url}/`)
  await page.locator('#state').getByText('Live').waitFor()
  await page.locator('.failed summary').click()
  await page.getByText('"order_id": "o"').waitFor()
  await page.getByRole('button', { name: 'Pause validate' }).click()
  await page.getByRole('button', { name: 'Pause', exact: true }).click()
  await page.getByLabel('Name').fill('jürgen 李')
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.getByRole('textbox', { name: 'Token' }).fill('secret-secret-16')
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.locator('.hop[data-key="validate"]').getByText('Paused by jürgen 李').waitFor()
  await page.getByRole('link', { name: 'API' }).click()
  await page.getByText('/orders/reprocess').first().waitFor()
  expect(page.url()).toBe(`${proxied.url}/docs`)
  expect(wrong().filter((reported) => !reported.includes('401'))).toEqual([])
})

test.for(['/docs', '/docs/'])('the documentation at %s of a sub-path asks the API there', async (path, context) => {
  requireChromium(context)
  await using world = await emptyRedis()
  await using proxied = await behindProxy(world.url)
  const page = await proxied.browser.newPage()
  const wrong = faults(page, proxied.url)
  await page.goto(`${proxied.url}${path}`)
  await page.locator('#operations-stats-get-stats-global').click()
  await page.getByRole('button', { name: 'Try it out' }).click()
  await page.getByRole('button', { name: 'Execute' }).click()
  await page.getByText(`${proxied.url}/stats/global`).first().waitFor()
  await page.locator('.live-responses-table').getByText('total_revenue').waitFor()
  expect(wrong()).toEqual([])
})

test('Bull Board works at the sub-path that API_BASE_PATH names, deep in it too, through a proxy that leaves the path as it is', async (context) => {
  requireRealRedis(context)
  requireChromium(context)
  await using world = await emptyRedis()
  await using proxied = await behindProxy(world.url, { API_BASE_PATH: '/orders-app' })
  const direct = `${proxied.direct}/orders-app`
  for (const url of [proxied.url, direct]) {
    const page = await (await proxied.browser.newContext(login)).newPage()
    const wrong = faults(page, url)
    await page.goto(`${url}/admin/queues`)
    await page.getByRole('link', { name: 'replay' }).first().click()
    await page.getByText('Completed').first().waitFor()
    expect(page.url()).toContain(`${url}/admin/queues/queue/replay`)
    await page.reload()
    await page.getByText('Completed').first().waitFor()
    await page.goto(`${url}/`)
    await page.locator('#state').getByText('Live').waitFor()
    expect([url, wrong().filter((reported) => reported !== url)]).toEqual([url, []])
  }
})
