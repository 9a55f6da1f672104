import { expect, test } from 'vitest'
import { openEmptyReceives, openWakeups } from '../../../src/ingest/empty-receives.ts'
import type { Outage } from '../../../src/ingest/failure-log.ts'

const pollers = 16

function open() {
  const failures: unknown[] = []
  const ended: unknown[] = []
  const waiting: Outage = {
    failed: (error) => failures.push(error),
    worked: (poller) => ended.push(poller),
    left: () => {},
    pause: async () => {},
  }
  const shared = { waiting, wakeups: openWakeups(() => pollers) }
  return { failures, ended, all: Array.from({ length: pollers }, () => openEmptyReceives(shared, 20)) }
}

test('a message that wakes all pollers, of which one gets it: the empty answers of the others do not count', () => {
  const { failures, all } = open()
  for (let message = 0; message < 100; message++)
    all.forEach((emptyReceives, at) => void emptyReceives.answered(at === message % pollers ? 1 : 0, 200))
  expect(failures).toEqual([])
})

test('two bridges whose pollers a server wakes for each message, which one poller of one of them gets', () => {
  const bridges = Array.from({ length: 2 }, open)
  let state = 1 // of a generator of numbers that are the same in each run
  const random = (below: number): number => {
    state = (state * 48_271) % 2_147_483_647
    return Math.floor((state / 2_147_483_647) * below)
  }
  for (let message = 0; message < 5_000; message++) {
    const [bridge, poller] = [random(bridges.length), random(pollers)]
    for (const [at, { all }] of bridges.entries())
      all.forEach((emptyReceives, of) => void emptyReceives.answered(at === bridge && of === poller ? 1 : 0, 30))
  }
  expect(bridges.flatMap(({ failures }) => failures)).toEqual([])
})

test('empty answers at once that no message explains are reported, also while some messages come', () => {
  const { failures, all } = open()
  for (let answer = 0; answer < 2_000; answer++) all[answer % pollers]?.answered(answer % 100 === 0 ? 1 : 0, 5)
  expect(failures).not.toEqual([])
})

test('a poller pauses from the tenth empty answer in a row that no message explains', async () => {
  const [emptyReceives] = open().all
  const pauses = (): Promise<boolean> =>
    emptyReceives?.pause(AbortSignal.abort()).then(
      () => false,
      () => true, // the signal has ended the pause
    ) ?? Promise.resolve(false)
  for (let answer = 1; answer < 10; answer++) emptyReceives?.answered(0, 5)
  expect(await pauses()).toBe(false)
  emptyReceives?.answered(0, 5)
  expect(await pauses()).toBe(true)
  emptyReceives?.answered(0, 20_000)
  expect(await pauses()).toBe(false)
})

test('empty answers at once are over when messages explain all that comes back empty', () => {
  const { failures, ended, all } = open()
  for (let answer = 0; answer < 10 * pollers; answer++) all[answer % pollers]?.answered(0, 5)
  expect(failures).toHaveLength(pollers)
  const message = (at: number): void =>
    all.forEach((emptyReceives, of) => void emptyReceives.answered(of === at ? 1 : 0, 5))
  for (let at = 0; at < 9; at++) message(at)
  expect([failures.length, ended.length]).toEqual([pollers, 0])
  message(9)
  expect(ended).toHaveLength(1)
})

test('empty answers at once are not over while a message comes now and then', () => {
  const { failures, ended, all } = open()
  const [emptyReceives] = all
  for (let answer = 0; answer < 10_000; answer++) emptyReceives?.answered(answer % 100 === 99 ? 1 : 0, 5)
  expect(failures).not.toEqual([])
  expect(ended).toEqual([])
})
