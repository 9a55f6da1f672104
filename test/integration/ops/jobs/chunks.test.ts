import { expect, test } from 'vitest'
import type { PartitionScope } from '../../../../src/app.ts'
import { chunks } from '../../../../src/ops/jobs/chunks.ts'
import { countMatching } from '../../../../src/stages/invalid/actions.ts'
import { rejectBodies } from '../../../support/invalid.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const { signal } = new AbortController()

/** An app with 150 invalid orders; every third lacks all fields, the others have a bad value. */
async function withInvalid(): Promise<{ scope: PartitionScope; ids: string[] } & AsyncDisposable> {
  const world = await emptyRedis()
  const scope = appOn(world.redis)
  const bodies = Array.from({ length: 150 }, (_, at) =>
    at % 3 === 0 ? '{}' : JSON.stringify({ user_id: 'u', order_id: at, order_value: -1 }),
  )
  const ids = await rejectBodies(scope, bodies)
  return { scope, ids, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() }
}

test('chunks have each matching entry once, oldest first, whether or not they are taken away meanwhile', async () => {
  await using world = await withInvalid()
  const { scope, ids } = world
  const all = { limit: 1_000, dryRun: true, until: '+' }
  const collect = async (data: Parameters<typeof chunks>[1], left = () => 1_000): Promise<string[]> => {
    const found: string[] = []
    for await (const chunk of chunks(scope, data, signal, left)) {
      expect(chunk.length).toBeLessThanOrEqual(100)
      found.push(...chunk.map(({ id }) => id))
      if (found.length > ids.length) break
    }
    return found
  }
  expect(await collect(all)).toEqual(ids)
  expect(await collect({ ...all, until: ids[69] ?? '' })).toEqual(ids.slice(0, 70))
  expect(await collect({ ...all, code: 'missing-field' })).toEqual(ids.filter((_, at) => at % 3 === 0))
  const some = [ids[90], ids[3], ids[3], ids[4], '1-1'].map(String)
  expect(await collect({ ...all, ids: some })).toEqual([ids[3], ids[4], ids[90]])
  expect(await collect({ ...all, ids: some, code: 'bad-value' })).toEqual([ids[4]])
  expect(await countMatching(scope, { ...all, ids: some })).toBe(4)
  expect(await countMatching(scope, { ...all, code: 'missing-field' })).toBe(50)
})

test('a chunk has a hundred orders after the first, and of large ones as many as fit, one at least', async () => {
  const sizes = async (scope: PartitionScope): Promise<number[]> => {
    const found: number[] = []
    const all = { limit: 1_000, dryRun: true, until: '+' }
    for await (const chunk of chunks(scope, all, signal, () => 1_000)) found.push(chunk.length)
    return found
  }
  {
    await using world = await withInvalid()
    expect(await sizes(world.scope)).toEqual([10, 100, 40])
  }
  await using world = await emptyRedis()
  const scope = appOn(world.redis)
  const note = (characters: number): string => JSON.stringify({ note: 'x'.repeat(characters) })
  await rejectBodies(scope, [300_000, 300_000, 900_000, 1_000_100, 10, 10].map(note))
  expect(await sizes(scope)).toEqual([2, 1, 1, 1, 1])
})
