import { expect, test } from 'vitest'
import { openApi } from '../../../../src/api/server.ts'
import { readUndo } from '../../../../src/control/undo/undos.ts'
import { send } from '../../../support/jobs.ts'
import { requireRedisServer } from '../../../support/requires.ts'
import { openUndoWorld, runUndo, sendBodies, settled, type UndoWorld } from '../../../support/undo.ts'

const body = JSON.stringify({ user_id: 'ann', order_id: 'o1', order_value: 10 })

/** An API of the world. Each call repeats one request with the key of the call. */
async function openUndos(world: UndoWorld, now?: () => Date) {
  const stack = new AsyncDisposableStack()
  const server = stack.use(await openApi({ ...world.app, ...(now && { now }) }))
  const post = (path: string, asked: object, key?: string) =>
    send(`${server.url}/undos${path}`, 'POST', asked, key === undefined ? {} : { 'idempotency-key': key })
  return { post, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

async function ended(world: UndoWorld, id: unknown) {
  const result = await runUndo(world, String(id))
  await settled(world)
  return result
}

test('an Idempotency-Key is the same job, without an end, and after the job has ended', async (context) => {
  requireRedisServer(context)
  await using world = await openUndoWorld()
  await using api = await openUndos(world)
  await sendBodies(world, [body])
  const asked = { name: 'twice', from: new Date(Date.now() - 60_000).toISOString() }
  const first = await api.post('', asked, 'one')
  expect(first).toMatchObject({ status: 202 })
  expect(await api.post('', asked, 'one')).toEqual(first)
  expect(await api.post('', asked)).toMatchObject({ status: 202 }) // it goes on with the same window
  expect(await ended(world, first.body['job_id'])).toMatchObject({ orders: 1 })
  expect(await api.post('', asked, 'one')).toEqual(first)
  const done = expect.stringMatching(/^The undo "twice" was done at .*: there is nothing left to do\.$/)
  expect(await api.post('', asked)).toMatchObject({ status: 409, body: { detail: done } })
  const redo = await api.post('/twice/redo', {}, 'two')
  expect(redo).toMatchObject({ status: 202 })
  expect(await ended(world, redo.body['job_id'])).toMatchObject({ orders: 1, left: 0 })
  expect(await api.post('/twice/redo', {}, 'two')).toEqual(redo)
  expect(await api.post('/twice/redo', {})).toMatchObject({ status: 409 })
})

test('without an end, the window ends now by the clock of Redis', async (context) => {
  requireRedisServer(context)
  await using world = await openUndoWorld()
  await using api = await openUndos(world, () => new Date(Date.now() - 3_600_000))
  const asked = { name: 'twice', from: new Date(Date.now() - 60_000).toISOString() }
  expect(await api.post('', asked)).toMatchObject({ status: 202 })
  const { to = '' } = (await readUndo(world.app, 'twice')) ?? {}
  expect(Math.abs(Date.parse(to) - Date.now())).toBeLessThan(30_000)
})

test('without an archive an undo and a redo are refused before they are a job; where another process has it they are not', async (context) => {
  requireRedisServer(context)
  await using world = await openUndoWorld(undefined, 'elsewhere')
  const app = { ...world.app, pipeline: world.app.pipeline.without('archive') }
  await world.redis.hdel(app.keys.stages, 'observer archive')
  await using api = await openUndos({ ...world, app })
  const asked = { name: 'twice', from: new Date(Date.now() - 60_000).toISOString() }
  const detail = expect.stringMatching(/^There is no archive, .*: set ARCHIVE_URL for all processes\./)
  for (const [path, body] of [
    ['', asked],
    ['/twice/redo', {}],
  ] as const)
    expect(await api.post(path, body)).toMatchObject({ status: 409, body: { detail } })
  expect([await readUndo(app, 'twice'), await world.queues.undo.count()]).toEqual([undefined, 0])
  await world.redis.hset(app.keys.stages, 'observer archive', '1')
  expect(await api.post('', asked)).toMatchObject({ status: 202 })
})
