import { expect, test } from 'vitest'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { rejectByBug } from '../support/broken-release.ts'
import { barriers, complaints, launch, requestsElsewhere } from '../support/browser.ts'
import { ended, type JobView, send } from '../support/jobs.ts'
import { requireChromium, requireRealRedis } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { until } from '../support/until.ts'
import { emptyRedis, envOf } from '../support/world.ts'

test('Bull Board loads behind the login, lists both queues, and a failed job is retried in it', async (context) => {
  requireRealRedis(context)
  requireChromium(context)
  await using world = await emptyRedis()
  const env = envOf(world.url, undefined, { ADMIN_TOKEN: 'secret-secret-16', JOB_VERDICT_MS: '200' })
  const orders = [...sampleOrders({ valid: 10, invalid: 0, users: 5, seed: 8 })].map(({ body }) => body)
  await rejectByBug(world.redis, orders)
  await using api = runOrders(['run', 'api', 'jobs'], env)
  await api.started()
  const url = await api.apiUrl()
  const bearer = { authorization: 'Bearer secret-secret-16' }
  const { body } = await send(`${url}/orders/replay`, 'POST', {}, { ...bearer, 'x-operator': 'ann' })
  expect(await ended(url, body['job_id'])).toMatchObject({ state: 'failed' })

  await using browser = await launch()
  expect((await fetch(`${url}/admin/queues/`)).status).toBe(401)

  const login = await browser.newContext({ httpCredentials: { username: 'ann', password: 'secret-secret-16' } })
  const page = await login.newPage()
  const [errors, elsewhere] = [complaints(page), requestsElsewhere(page, url)]
  expect((await page.goto(`${url}/admin/queues/`))?.status()).toBe(200)
  await page.getByRole('link', { name: 'reprocess' }).first().waitFor()
  await page.getByRole('link', { name: 'replay' }).first().waitFor()

  await using stages = runOrders(['run', 'validate', 'aggregate', 'leaderboard'], env)
  await stages.started()
  // Else the retried job may fail again, as JOB_VERDICT_MS is short.
  await until('all to be judged', async () => (await world.redis.hget('pipeline:counters', 'admitted')) === '10')
  await page.goto(`${url}/admin/queues/queue/replay?status=failed`)
  await page.getByText('have no verdict yet').first().waitFor()
  await page.getByText('replay of up to 1,000,000 orders by ann').first().waitFor()
  // The first button behind the job's id is the one that retries it; a dialog asks whether to.
  await page.locator(`xpath=//*[text()="${body['job_id']}"]/following::button[1]`).click()
  await page.getByRole('button', { name: 'Confirm' }).click()
  expect(await untilCompleted(url, body['job_id'])).toMatchObject({
    state: 'completed',
    result: { sent: 10, admitted: 10 },
  })
  await page.getByRole('link', { name: 'Dashboard' }).click()
  await page.locator('#state').getByText('Live').waitFor()
  expect([errors, elsewhere]).toEqual([[], []])
})

/** The job was failed before; it is waited for until the retry has completed it. */
async function untilCompleted(url: string, id: unknown): Promise<JobView> {
  return until(
    'the retried job to complete',
    () => ended(url, id),
    ({ state }) => state === 'completed',
  )
}

test('the API documentation draws every route without console errors', async (context) => {
  requireChromium(context)
  await using world = await emptyRedis()
  await using api = runOrders(['run', 'api'], envOf(world.url))
  const url = await api.apiUrl()
  await using browser = await launch()
  const page = await browser.newPage({ colorScheme: 'dark' })
  const errors = complaints(page)
  const elsewhere = requestsElsewhere(page, url)
  await page.goto(`${url}/docs`)
  await page.getByText('To get a token').waitFor()
  expect(await page.evaluate<string>('getComputedStyle(document.documentElement).backgroundColor')).toBe(
    'rgb(28, 32, 34)',
  )
  await page.emulateMedia({ colorScheme: 'light' })
  await page.locator('html:not(.dark-mode)').waitFor()
  await page.getByText('/orders/reprocess').first().waitFor()
  await page.getByText('/stats/top-users').first().waitFor()
  // The colors and headings inside are those of Swagger UI.
  const ofThePage = ['region', 'landmark-one-main', 'page-has-heading-one', 'document-title', 'html-has-lang']
  expect(await barriers(page, 'html', ofThePage)).toEqual([])
  expect([errors, elsewhere]).toEqual([[], []])
})
