import { expect, test } from 'vitest'
import { readAudit } from '../../src/control/audit-log.ts'
import { pauseComponent } from '../../src/control/pauses.ts'
import { flushArchive } from '../../src/stages/archive/flush.ts'
import { openStore } from '../../src/stages/archive/store/store.ts'
import { readArchive } from '../support/archive.ts'
import { complaints, launch } from '../support/browser.ts'
import { ended, send, writing } from '../support/jobs.ts'
import { runningStages } from '../support/rebuilding.ts'
import { requireChromium, requireRedisServer } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { forgetOrder, openUndoWorld, sendBodies, settled } from '../support/undo.ts'
import { adminToken, type Env } from '../support/world.ts'

const bodies = [1, 2, 3].map((at) =>
  JSON.stringify({ user_id: `u${at}`, order_id: 'o', order_value: 10 * at, source: at === 1 ? 'shop' : 'twice' }),
)

test('orders undo shows what changes, asks, takes back, and orders redo puts back; HTTP does the same', async (context) => {
  requireRedisServer(context)
  await using world = await openUndoWorld()
  const { app, env } = world
  const from = new Date(Date.now() - 1_000).toISOString()
  await sendBodies(world, bodies)
  const to = new Date().toISOString()
  await using running = runOrders(['run', 'jobs', 'api'], { ...env, REPORT_TIMEZONE: 'Europe/Berlin' })
  const url = await running.apiUrl()
  const revenue = async (): Promise<unknown> => {
    await settled(world)
    return ((await (await fetch(`${url}/stats/global`)).json()) as Record<string, unknown>)['total_revenue']
  }
  const orders = async (...args: string[]): Promise<{ code: number | null; text: string }> => {
    await using run = runOrders(args, env)
    const { code } = await run.exit()
    return { code, text: run.stdout() + run.stderr() }
  }
  const window = ['undo', '--from', from, '--to', to, '--where', 'source=twice', '--name', 'double charge']
  const preview = await orders(...window, '--dry-run')
  expect(preview).toMatchObject({ code: 0, text: expect.stringMatching(/^orders +2\nusers +2\nrevenue +50\.00$/m) })
  expect(await orders(...window)).toMatchObject({ code: 2, text: expect.stringContaining('--yes') })
  expect(await revenue()).toBe(60)
  const undone = await orders(...window, '--yes')
  expect(undone).toMatchObject({
    code: 0,
    text: expect.stringContaining('Taken back: 2 orders of 2 users with 50.00.'),
  })
  expect(await revenue()).toBe(10)
  expect((await orders('undo', 'list')).text).toMatch(/^double charge +undone +2 +50\.00 /m)
  expect((await orders('undo', 'show', 'double charge')).text).toMatch(/^where +source=twice$/m)
  expect(await orders('trace', 'o', '--user', 'u2')).toMatchObject({ text: expect.stringContaining('It is undone') })
  expect(await orders(...window, '--yes')).toMatchObject({
    code: 0,
    text: expect.stringMatching(
      /^The undo "double charge" is done already, since .*\.\nTaken back: 2 orders of 2 users/,
    ),
  })
  const { text: again } = await orders(...window, '--yes', '--json')
  expect(JSON.parse(again)).toMatchObject({ dry_run: false, orders: 2, users: 2, revenue: 50, left: 0, radius: null })
  const other = window.with(6, 'source=shop')
  expect(await orders(...other, '--yes')).toMatchObject({ code: 1, text: expect.stringContaining('another name') })
  expect(await orders('redo', 'double charge')).toMatchObject({ code: 2, text: expect.stringContaining('--yes') })
  expect(await orders('redo', 'another', '--yes')).toMatchObject({
    code: 1,
    text: expect.stringContaining('There is no undo "another": see orders undo list.'),
  })
  const redone = await orders('redo', 'double charge', '--yes')
  expect(redone).toMatchObject({ code: 0, text: expect.stringContaining('Put back: 2 orders of 2 users with 50.00.') })
  expect(await revenue()).toBe(60)
  expect(await orders('redo', 'none', '--yes')).toMatchObject({
    code: 1,
    text: expect.stringContaining('There is no undo "none": see orders undo list.'),
  })

  const body = { name: 'by http', from, to, where: { user: 'u3' } }
  const dry = await send(`${url}/undos`, 'POST', { ...body, dry_run: true })
  expect(await ended(url, dry.body['job_id'])).toMatchObject({ result: { dry_run: true, orders: 1, revenue: 30 } })
  const { status, body: accepted } = await send(`${url}/undos`, 'POST', body)
  expect(status).toBe(202)
  expect(await ended(url, accepted['job_id'])).toMatchObject({ state: 'completed', result: { orders: 1 } })
  expect(await revenue()).toBe(30)
  const get = async (path: string) => (await fetch(`${url}${path}`, { headers: writing })).json()
  expect(await get('/undos')).toMatchObject({ undos: [{ name: 'by http', state: 'undone' }, { state: 'redone' }] })
  expect(await get('/undos/by%20http')).toMatchObject({
    undone: { orders: 1, revenue: 30 },
    where: { user: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) },
  })
  const back = await send(`${url}/undos/by%20http/redo`, 'POST', {})
  expect(await ended(url, back.body['job_id'])).toMatchObject({ state: 'completed', result: { redo: true } })
  expect(await revenue()).toBe(60)
  for (const [path, wrong, expected] of [
    ['/undos', { ...body, from: 'noon' }, 422],
    ['/undos', body, 409],
    ['/undos/none/redo', {}, 404],
    ['/undos/by%20http/redo', {}, 409],
  ] as const)
    expect(await send(`${url}${path}`, 'POST', wrong)).toMatchObject({ status: expected })
  const audit = await readAudit(app.redis, app.control, { limit: 20 })
  expect(audit.filter(({ what }) => JSON.stringify(what).includes('none'))).toEqual([])
  const actions = audit.map(({ action }) => action)
  expect(actions.filter((one) => one === 'undo' || one === 'redo').length).toBeGreaterThanOrEqual(4)
})

test('an undo ends soon with the cause where the archive is paused, damaged or absent, and advises no retry that cannot help', async (context) => {
  requireRedisServer(context)
  await using world = await openUndoWorld(undefined, 'elsewhere')
  const { app, env } = world
  const orders = async (more: Env, ...args: string[]): Promise<{ code: number | null; text: string }> => {
    await using run = runOrders(args, { ...env, ...more })
    const { code } = await run.exit()
    return { code, text: run.stdout() + run.stderr() }
  }
  await using _ = runOrders(['run', 'jobs'], env)
  await using __ = await runningStages(
    app,
    app.pipeline.names.filter((name) => name !== 'archive'),
  )
  const archiving = await runningStages(app, ['archive'])
  const preview = ['undo', '--from', new Date(Date.now() - 60_000).toISOString(), '--dry-run']
  await world.redis.hdel(app.keys.stages, 'observer archive')
  const absent = await orders({ ARCHIVE_URL: '' }, ...preview)
  expect(absent).toEqual({ code: 1, text: expect.stringMatching(/^There is no archive, .*: set ARCHIVE_URL/) })
  expect(await world.queues.undo.getJobCounts('failed', 'completed')).toEqual({ failed: 0, completed: 0 })
  await sendBodies(world, bodies)
  await flushArchive(app, AbortSignal.timeout(30_000))
  using store = await openStore(app.config)
  const { segments } = await readArchive(store, app)
  await store.delete(segments[0]?.segment.name ?? '')
  const damaged = await orders({}, ...preview)
  expect(damaged).toEqual({ code: 1, text: expect.stringMatching(/Job \S+ failed: The segment .* is missing\.\n$/) })
  await archiving[Symbol.asyncDispose]()
  await pauseComponent(app, 'archive', { by: 'ann' })
  await sendBodies(
    world,
    bodies.map((body) => body.replace('"o"', '"late"')),
  )
  const paused = /is paused by ann since .*: run orders resume archive, then try again\.\n$/
  expect(await orders({}, ...preview)).toEqual({ code: 1, text: expect.stringMatching(paused) })
  expect(await orders({}, 'archive', 'flush')).toEqual({ code: 1, text: expect.stringMatching(paused) })
})

test('the dashboard lists the undos with what they did, and puts the orders of one back', async (context) => {
  requireRedisServer(context)
  requireChromium(context)
  await using world = await openUndoWorld()
  const from = new Date(Date.now() - 1_000).toISOString()
  await sendBodies(world, bodies)
  await using running = runOrders(['run', 'jobs', 'api'], world.env)
  const url = await running.apiUrl()
  const { body } = await send(`${url}/undos`, 'POST', { name: 'twice', from, to: new Date().toISOString() })
  await ended(url, body['job_id'])
  await using browser = await launch()
  const page = await browser.newPage()
  await page.addInitScript(`sessionStorage.setItem('orders-token', '${adminToken}')`)
  const reported = complaints(page)
  await page.goto(url)
  await page.getByRole('link', { name: 'Undos' }).click()
  await page.getByText('undone: 3 orders with 60.00').waitFor()
  await page.getByRole('button', { name: 'Redo twice…' }).click()
  await page.getByRole('button', { name: 'Put them back' }).click()
  await page.getByLabel('Name').fill('ann')
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.getByText('redone: 3 orders with 60.00').waitFor()
  await settled(world)
  expect(await world.redis.hget('global:stats', 'total_revenue_minor')).toBe('6000')
  await world.redis.hset(world.app.keys.counters, 'archive:missed', '1')
  const again = await send(`${url}/undos`, 'POST', { name: 'again', from, to: new Date().toISOString() })
  await ended(url, again.body['job_id'])
  await forgetOrder(world, 'u1', 'o')
  await page.getByRole('button', { name: 'Close' }).click()
  await page.getByRole('link', { name: 'Undos' }).click()
  await page
    .getByRole('listitem')
    .filter({ hasText: /undone: 3 orders with 60\.00.*The archive has missed orders/s })
    .getByRole('button', { name: 'Redo again…' })
    .click()
  await page.getByRole('button', { name: 'Put them back' }).click()
  await page.getByText('Not put back: 1. Of them the ledger has forgotten 1.').waitFor()
  await page
    .getByRole('listitem')
    .filter({ hasText: 'redoing: 3 orders with 60.00' })
    .getByRole('button', { name: 'Redo again…' })
    .waitFor()
  expect(reported).toEqual([])
})
