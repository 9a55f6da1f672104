import { z } from 'zod'
import type { RedisClient } from '../../redis/client.ts'
import { defineScript } from '../../redis/script.ts'
import { encodeExpiries, encodeRanks } from '../../stages/runner/effects.ts'
import { mergeEffect, noEffects } from '../../stages/runner/merge.ts'
import type { Effect } from '../../stages/stage.ts'

const run = defineScript(import.meta.url, z.array(z.string()))

/** A score that is not the sum of the fields that it stands for. */
export interface WrongScore {
  readonly board: string
  readonly userId: string
}

/** Compares the scores of some users of a partition by the effects that set them, and sets the wrong ones if asked to. */
export async function checkScores(
  redis: RedisClient,
  effects: readonly Effect[],
  mode: 'check' | 'set',
): Promise<WrongScore[]> {
  if (effects.length === 0) return []
  const merged = noEffects()
  for (const effect of effects) mergeEffect(merged, effect)
  const names: string[] = []
  const ranks = encodeRanks(names, merged.ranks, new Map())
  const expiries = encodeExpiries(names, merged.expiries)
  const found = await run(redis, names, [JSON.stringify({ ranks, expiries }), mode === 'set' ? 1 : 0])
  return found.flatMap((board, at) => (at % 2 === 0 ? [{ board, userId: found[at + 1] ?? '' }] : []))
}
