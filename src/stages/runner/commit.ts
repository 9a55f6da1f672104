import { z } from 'zod'
import type { App } from '../../app.ts'
import { defineScript, maxArguments } from '../../redis/script.ts'
import { otherLayoutError } from '../layout/layout.ts'
import { type Committer, encodeCommit } from './encode.ts'
import type { Plan } from './plan.ts'

export type CommitReply =
  | {
      readonly status: 'committed'
      readonly passed: number
      readonly duplicates: number
      readonly rejected: number
      /** When, by Redis' clock, in ms; to the microsecond. */
      readonly atMs: number
      /** The invalid id of each rejected record of the plan; empty for a duplicate. */
      readonly invalidIds: readonly string[]
    }
  /**
   * Nothing is committed: only these entries are still pending. `again` is the number of other entries that the group delivered
   * again although the stage had committed them; they are acknowledged.
   */
  | { readonly status: 'stale'; readonly held: readonly string[]; readonly again: number }
  /** Nothing changed: users were erased since the plan was made. */
  | { readonly status: 'erased' }
  /** Nothing is sent: it would have more arguments than a request may have. Never for a single entry. */
  | { readonly status: 'split' }
  /** Nothing changed: by Redis' clock this is the ledger's generation. */
  | { readonly status: 'generation'; readonly generation: number }
  /** Nothing changed: the ledger holds something else than the plan expects of these lines, see `namesIn`. */
  | { readonly status: 'differs'; readonly held: readonly (readonly [line: number, value: string])[] }

const run = defineScript(
  import.meta.url,
  z.union([
    z.tuple([z.literal('committed'), z.int(), z.int(), z.int(), z.int()], z.string()),
    z.tuple([z.literal('stale'), z.int()], z.string()),
    z.tuple([z.literal('generation'), z.int()]),
    z.tuple([z.literal('layout'), z.string()]),
    z.tuple([z.literal('erased')]),
    z.tuple([z.literal('differs')], z.union([z.int(), z.string()])),
  ]),
)

/** The command, the script's hash and the number of keys. */
const commandWords = 3

/**
 * Commits a plan, all of it or nothing (see commit.lua).
 * @throws OrdersError ORD_MANIFEST if another list of stages has taken effect; nothing is committed
 */
export async function commit(
  { redis, config }: Pick<App, 'redis' | 'config'>,
  committer: Committer,
  plan: Plan,
  generation: number,
): Promise<CommitReply> {
  const { names, args } = encodeCommit(config, committer, plan, generation)
  if (plan.entryIds.length > 1 && commandWords + names.length + args.length > maxArguments) return { status: 'split' }
  const reply = await run(redis, names, args)
  if (reply[0] === 'committed') {
    const [status, passed, duplicates, rejected, atMicroseconds, ...invalidIds] = reply
    return { status, passed, duplicates, rejected, atMs: atMicroseconds / 1_000, invalidIds }
  }
  if (reply[0] === 'layout') throw otherLayoutError(committer.stage, reply[1])
  if (reply[0] === 'erased') return { status: reply[0] }
  if (reply[0] === 'generation') return { status: reply[0], generation: reply[1] }
  if (reply[0] === 'stale') {
    const [status, again, ...held] = reply
    return { status, held, again }
  }
  const held: [number, string][] = []
  for (let i = 1; i + 1 < reply.length; i += 2) held.push([Number(reply[i]), String(reply[i + 1])])
  return { status: reply[0], held }
}
