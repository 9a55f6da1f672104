import fc from 'fast-check'
import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { App } from '../../../../src/app.ts'
import { makeControlKeys, makePartitions } from '../../../../src/keys.ts'
import { type Leases, leaveLeases, renewLeases } from '../../../../src/stages/runner/leases.ts'
import { validate } from '../../../support/stages.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const stage = validate

/** Processes of one stage over so many partitions, each with the partitions that it was last given. */
function openStage(redis: Redis, count: number) {
  const partitions = makePartitions(count)
  const control = makeControlKeys(partitions)
  const members = new Map<string, Leases>()
  /** By partition: the process that was last given it, and by which token. */
  const last = new Map<number, { member: string; token: number }>()
  const appOf = (member: string): App => appOn(redis, undefined, { instance: member, partitions, control })

  async function renew(member: string): Promise<void> {
    const held = await renewLeases(appOf(member), stage)
    for (const [partition, token] of held) {
      const before = last.get(partition)
      if (before && before.member !== member) expect(token).toBeGreaterThan(before.token)
      last.set(partition, { member, token })
    }
    members.set(member, held)
    expectNoneTwice()
  }

  function expectNoneTwice(): void {
    const all = [...members.values()].flatMap((held) => [...held.keys()])
    expect(new Set(all).size).toBe(all.length)
  }

  return {
    members,
    renew,
    leave: async (member: string): Promise<void> => {
      await leaveLeases(appOf(member), stage)
      members.delete(member)
    },
    /** As if it had not renewed until its leases ran out. */
    outlive: async (member: string): Promise<void> => {
      if (!members.delete(member)) return
      await redis.zadd(control.members(stage.name), 1, member)
      for (const [partition, lease] of Object.entries(await redis.hgetall(control.leases(stage.name)))) {
        if (!lease.endsWith(` ${member}`)) continue
        await redis.hset(control.leases(stage.name), partition, lease.replace(/^\d+/, '1'))
      }
    },
    /** In one round each gives back what it has too much, in the next each takes what it lacks. */
    rounds: async (): Promise<void> => {
      for (const member of [...members.keys(), ...members.keys()]) await renew(member)
    },
  }
}

type Opened = ReturnType<typeof openStage>

/** Every partition is with one member, and no member has two more than another. */
function expectEven({ members }: Opened, count: number): void {
  const held = [...members.values()]
  const sizes = held.map(({ size }) => size)
  expect(held.flatMap((leases) => [...leases.keys()]).sort((a, b) => a - b)).toEqual([...Array(count).keys()])
  expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
}

const step = fc.tuple(
  fc.constantFrom('renew' as const, 'renew' as const, 'leave' as const, 'outlive' as const),
  fc.integer({ min: 1, max: 7 }).map((number) => `member ${number}`), // a name with spaces is one
)

test('a process comes, leaves or falls silent: no partition is with two, a token changes with the holder, shares get even', async () => {
  await using world = await emptyRedis()
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 20 }), fc.array(step, { maxLength: 30 }), async (count, course) => {
      await world.redis.flushdb()
      const opened = openStage(world.redis, count)
      for (const [what, member] of course) await opened[what](member)
      await opened.renew('the last')
      await opened.rounds()
      expectEven(opened, count)
    }),
    { numRuns: 60 },
  )
})

test('who goes on renewing keeps what it has, by the same tokens', async () => {
  await using world = await emptyRedis()
  const opened = openStage(world.redis, 8)
  await opened.renew('one')
  await opened.renew('two')
  await opened.rounds()
  const before = structuredClone(opened.members)
  await opened.rounds()
  expect(opened.members).toEqual(before)
  await opened.leave('two')
  await opened.renew('one')
  const kept = before.get('one') ?? new Map()
  for (const [partition, token] of kept) expect(opened.members.get('one')?.get(partition)).toBe(token)
  expectEven(opened, 8)
})

test('who was silent while another had its partition gets it back by another token, or not at all', async () => {
  await using world = await emptyRedis()
  const opened = openStage(world.redis, 2)
  await opened.renew('one')
  const first = opened.members.get('one')
  await opened.outlive('one')
  await opened.renew('one')
  expect(opened.members.get('one')).toEqual(first) // no process had it in between
  await opened.outlive('one')
  await opened.renew('two')
  await opened.renew('one')
  expect(opened.members.get('one')?.size).toBe(0)
  await opened.rounds()
  const [[partition, token] = []] = opened.members.get('one') ?? []
  expect(token).toBeGreaterThan(first?.get(partition ?? -1) ?? 0)
})
