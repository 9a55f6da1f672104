import { z } from 'zod'
import { type Keys, shadowKeys } from '../../keys.ts'
import type { RedisClient } from '../../redis/client.ts'
import { defineScript } from '../../redis/script.ts'
import { encodeExpiries, encodeHashes } from '../../stages/runner/effects.ts'
import type { Effects } from '../../stages/runner/merge.ts'

const add = defineScript(import.meta.url, z.enum(['added', 'known', 'gone']))

/** Where a batch is, and the run that adds it. */
export interface BatchPlace {
  readonly run: string
  readonly chain: string
  /** After the batch, in the form of `positionOf`. */
  readonly position: string
  /** After the last batch of the chain in this partition; '' before the first. */
  readonly before: string
}

/** The field of a chain in the progress. */
export const chainField = (chain: string): string => `chain:${chain}`

/** Positions compare as texts. @param batches of the line that are added */
export const positionOf = (seq: number, batches: number): string =>
  `${String(seq).padStart(12, '0')}:${String(batches).padStart(8, '0')}`

/** The number of batches that stands for all of a line. */
export const allBatches = 99_999_999

/** Returns the last line that is added whole. */
export function wholeLines(position = ''): number {
  const [seq = 0, batches = 0] = position.split(':').map(Number)
  return batches === allBatches ? seq : Math.max(0, seq - 1)
}

/** Names the hash that holds the ranks of the stages' own, by board and member: to rank them again in the flip. */
export const ranksKey = (shadow: Keys): string => shadow.own('rebuild', 'ranks')

/** Adds a batch to the shadow of a partition. @returns as apply.lua replies */
export function applyBatch(
  redis: RedisClient,
  keys: Keys,
  { run, chain, position, before }: BatchPlace,
  { hashes, expiries, ranks }: Effects,
): Promise<'added' | 'known' | 'gone'> {
  const names = [keys.rebuildProgress]
  const { shapes } = encodeHashes(names, hashes)
  const texts = [...ranks].flatMap(([board, members]) =>
    [...members].flatMap(([member, rank]) => [JSON.stringify([board, member]), JSON.stringify(rank)]),
  )
  const plan = {
    hashes: shapes,
    expiries: encodeExpiries(names, expiries),
    texts: texts.length === 0 ? [] : [names.push(ranksKey(shadowKeys(keys, run))), ...texts],
  }
  return add(redis, names, [run, chainField(chain), position, before, JSON.stringify(plan)])
}
