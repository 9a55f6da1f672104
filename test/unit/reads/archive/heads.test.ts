import { expect, test } from 'vitest'
import { type Chain, readChains } from '../../../../src/reads/archive/chains.ts'
import { headsIn } from '../../../../src/reads/archive/heads.ts'
import { type Line, noHash } from '../../../../src/stages/archive/manifest.ts'
import type { Tail } from '../../../../src/stages/archive/tail.ts'

interface Follows {
  readonly chain: string
  readonly seq: number
}

/** Makes a chain of lines with these seconds, of which the first begins it. The hash of a line is its chain and number. */
function chain(name: string, seconds: readonly number[], partition = 'none', follows?: Follows) {
  const timeOf = (second: number): string => new Date(second * 1_000).toISOString()
  const lines = seconds.map((second, index): [string, Line] => {
    const seq = index + 1
    const place = { seq, at: timeOf(second), previous: index === 0 ? noHash : `${name}${index}` }
    const from = follows && { ...follows, head: `${follows.chain}${follows.seq}` }
    if (index > 0) return [`${name}${seq}`, { ...place, kind: 'expired', removes: 'a segment' }]
    return [
      `${name}1`,
      { ...place, kind: 'begin', chain: name, partition, archived: 0, ...(from && { follows: from }) },
    ]
  })
  return { chain: name, partition, byHash: new Map(lines) }
}

const tail = (name: string, seq: number, partition = 'none'): Tail => ({
  ...{ chain: name, partition, seq, head: `${name}${seq}`, stored: seq, lines: new Map(), failure: undefined },
})

const counted = (chains: readonly ReturnType<typeof chain>[], tails: readonly Tail[] = []): Record<string, string> =>
  Object.fromEntries([...headsIn(chains, tails)].map(([name, head]) => [name, head === noHash ? 'lost' : head]))

test('a chain that follows a line outlives the lines after that, and chains that Redis lost between count in no order', () => {
  const [a, b] = [chain('a', [0, 10, 130]), chain('b', [131, 132], 'none', { chain: 'a', seq: 2 })]
  for (const all of [
    [a, b],
    [b, a],
  ])
    expect(counted(all)).toEqual({ a: 'a2', b: 'b2' })
  expect(counted([a, b], [tail('a', 2)])).toEqual({ a: 'a2', b: 'lost' })
})

test('a chain that began while Redis was on another path is lost once Redis goes on with that', () => {
  const [a, b] = [chain('a', [0, 10, 40]), chain('b', [20, 30])]
  expect(counted([a, b])).toEqual({ a: 'a3', b: 'lost' })
  expect(counted([a, chain('b', [20, 30], '0of2')])).toEqual({ a: 'a3', b: 'lost' })
  expect(counted([a, b], [tail('b', 2)])).toEqual({ a: 'a3', b: 'b2' })
})

test('chains of other partitions, and those that began at the same time, hide nothing', () => {
  expect(counted([chain('a', [0, 40], '0of2'), chain('b', [20, 30], '1of2')])).toEqual({ a: 'a2', b: 'b2' })
  for (const tails of [[], [tail('a', 2)], [tail('b', 2)]])
    expect(counted([chain('a', [0, 10]), chain('b', [0, 10])], tails)).toEqual({ a: 'a2', b: 'b2' })
})

test('of two systems that write alternately neither hides chains of the other that have ended', () => {
  const [other, own] = [chain('other', [0, 25, 90]), chain('own', [20, 30])]
  const later = chain('later', [50, 60], '0of2')
  expect(counted([other, own, later], [tail('later', 2, '0of2')])).toEqual({
    other: 'other3',
    own: 'own2',
    later: 'later2',
  })
  expect(counted([other, own])).toEqual({ other: 'other3', own: 'own2' })
})

test('what another system has written stays, also where this one follows a line later', () => {
  const [other, own, later] = [chain('other', [0, 25, 40]), chain('own', [20, 30]), chain('later', [70], '0of2')]
  const settled = chain('settled', [50, 90], 'none', { chain: 'other', seq: 3 })
  const all = [other, own, settled, later]
  expect(counted(all, [tail('later', 1, '0of2')])).toMatchObject({ own: 'own2', later: 'later1' })
})

test('a chain whose only object is deleted while it is read is left out', async () => {
  const store = {
    list: async function* () {
      yield { name: `manifest/partition=none/chain=x/000000000001-${'0'.repeat(16)}.json`, bytes: 1, modifiedMs: 0 }
    },
    get: async () => undefined,
  }
  expect(await readChains(store, undefined)).toEqual([] satisfies Chain[])
})
