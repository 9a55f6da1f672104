import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Keys, makeControlKeys, makeKeys, manifestKey } from '../../src/keys.ts'
import { rejectGroupNames } from '../../src/reject-codes.ts'

/** By which ioredis routes; it takes another tag than Redis where the first braces are empty, as in `a{}{b}`. */
const clientSlotOf = createRequire(import.meta.url)('cluster-key-slot') as (key: string) => number

/** Computes a slot as Redis does: CRC16 of the text in the first braces, or of the whole key without one. */
function slotOf(key: string): number {
  const tag = /^[^{]*\{([^}]+)\}/.exec(key)?.[1] ?? key
  let crc = 0
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff
  }
  return crc % 16_384
}

/** Every key of a partition and of the whole, with these for what varies. */
function everyKey(keys: Keys, userId: string, number = 0): string[] {
  const {
    partition: _,
    layout: __,
    stream,
    userStats,
    ledger,
    own,
    invalidGroup,
    outcome,
    rebuildKept,
    day,
    periodBoard,
    monthly,
    committed: done,
    ...named
  } = keys
  const { timeline, members, leases, ...whole } = makeControlKeys([keys])
  return [
    ...['raw', 'valid', 'counted'].map(stream),
    ...Object.values(named),
    ...Object.values(whole),
    ...rejectGroupNames.map(invalidGroup),
    ...[
      outcome('replay-1'),
      rebuildKept(userId),
      done('validate'),
      timeline(number),
      members('validate'),
      leases('validate'),
    ],
    ...[day('2026-11-25'), periodBoard('2026-W48', 'spend'), monthly('2026-11', userId)],
    userStats(userId),
    ledger(number, number),
    own('revenue', userId),
  ]
}

/** Among them what would be a hash tag of its own, close one or open one. */
const hostileId = fc
  .array(fc.oneof(fc.constantFrom('{', '}', '{}', ':', '{p0}', '}{', '\0', '__proto__'), fc.string({ unit: 'binary' })))
  .map((parts) => parts.join(''))

describe('without partitions', () => {
  test('names are bare, as in the Python system', () => {
    const { stream, userStats, ledger, own, invalidGroup, outcome, ...named } = makeKeys()
    expect(named).toMatchObject({
      invalid: 'orders:invalid',
      invalidOrders: 'invalid_orders',
      globalStats: 'global:stats',
      leaderboardSpend: 'leaderboard:spend',
      leaderboardOrders: 'leaderboard:orders',
      discarded: 'orders:discarded',
      counters: 'pipeline:counters',
    })
    expect(['raw', 'valid', 'counted'].map(stream)).toEqual(['orders:raw', 'orders:valid', 'orders:counted'])
    expect([invalidGroup('bad-value:range'), outcome('replay-1')]).toEqual([
      'invalid:bad-value:range',
      'outcome:replay-1',
    ])
    expect([userStats('user_7'), ledger(1471, 12), own('revenue', 'days')]).toEqual([
      'user:user_7',
      'ledger:1471:12',
      'revenue:days',
    ])
  })

  test('no user id makes the key of another user or of anything else', () => {
    fc.assert(
      fc.property(hostileId, hostileId, (one, other) => {
        const { userStats, monthly } = makeKeys()
        expect(userStats(one) === userStats(other)).toBe(one === other)
        expect(monthly('2026-11', one) === monthly('2026-11', other)).toBe(one === other)
        expect(userStats(one)).not.toBe(monthly('2026-11', other))
        expect([...everyKey(makeKeys(), '').slice(0, -3), manifestKey]).not.toContain(userStats(one))
      }),
    )
  })
})

describe('with a partition', () => {
  test('every name is the bare one behind the tag', () => {
    const tagged = everyKey(makeKeys(3), 'user_{7}', 5)
    expect(tagged).toEqual(everyKey(makeKeys(), 'user_{7}', 5).map((name) => `{p3}:${name}`))
  })

  test('every key has the hash slot of its tag, whatever the user id', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000 }), hostileId, fc.nat(), (partition, userId, number) => {
        const slots = everyKey(makeKeys(partition), userId, number).flatMap((key) => [slotOf(key), clientSlotOf(key)])
        expect(new Set(slots)).toEqual(new Set([slotOf(`p${partition}`)]))
      }),
    )
  })

  test('partition 0 is tagged too', () => {
    expect(makeKeys(0).stream('raw')).toBe('{p0}:orders:raw')
  })

  test('no two partitions share a key', () => {
    const all = [0, 1, 10, 11].flatMap((partition) => everyKey(makeKeys(partition), 'user_7'))
    expect(new Set([...all, ...everyKey(makeKeys(), 'user_7')]).size).toBe((all.length / 4) * 5)
  })
})

test.each([
  ['123456789', 12_739],
  ['foo', 12_182],
  ['p3', 3_689],
  ['{user1000}.following', 3_443],
  ['user1000', 3_443],
  ['foo{}{bar}', 8_363],
  ['foo{{bar}}zap', 4_015],
  ['}{', 12_793],
  ['{}p', 10_347],
])('the slots these tests go by are those of CLUSTER KEYSLOT: %s', (key, slot) => {
  expect(slotOf(key)).toBe(slot)
})
