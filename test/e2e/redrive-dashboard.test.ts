import { expect, test } from 'vitest'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { complaints, launch } from '../support/browser.ts'
import { countDeadLetters, fillDeadLetters } from '../support/dead-letters.ts'
import { requireChromium, requireRealRedis } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { adminToken, emptyRedis, emptySqs, envOf } from '../support/world.ts'

test('from the dead letters on the card of SQS by a dry run to a redrive, and the button goes away', async (context) => {
  requireRealRedis(context)
  requireChromium(context)
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(world.url, sqs)
  const bodies = [...sampleOrders({ valid: 20, invalid: 0, users: 5, seed: 1 })].map(({ body }) => body)
  await fillDeadLetters(env, [...bodies, bodies[0] ?? '', '{}'])
  await using line = runOrders(['run', 'validate', 'aggregate', 'leaderboard', 'jobs', 'api'], env)
  await line.started()
  await using browser = await launch()
  const page = await browser.newPage()
  await page.addInitScript(`sessionStorage.setItem('orders-token', '${adminToken}')`)
  const reported = complaints(page)
  await page.goto(await line.apiUrl())
  await page.getByRole('button', { name: 'Redrive…' }).click()
  await page.getByLabel('Name').fill('ann')
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.getByText('SQS gave up on 22 messages after too many receives.').waitFor()
  expect(await page.getByRole('link', { name: 'the runbook' }).last().getAttribute('href')).toBe(
    'runbook#ordersdeadletters',
  )
  const rehearsed = '20 would pass the rules, 1 are duplicates, 1 would not (missing-field 1). Nothing was sent.'
  await page.getByText(rehearsed).waitFor()
  expect(await countDeadLetters(env)).toBe(22)
  await page.getByRole('button', { name: 'Redrive all' }).click()
  await page.getByText('22 sent: 20 admitted, 1 duplicates, 1 failed again (missing-field 1).').waitFor()
  await page.getByRole('button', { name: 'Close' }).click()
  await page.getByRole('button', { name: 'Redrive…' }).waitFor({ state: 'hidden' })
  expect(await countDeadLetters(env)).toBe(0)
  expect(reported).toEqual([])
})
