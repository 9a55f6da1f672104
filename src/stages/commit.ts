import { z } from 'zod'
import type { App } from '../app.ts'
import { OrdersError } from '../errors.ts'
import type { Keys } from '../keys.ts'
import { codeOf, outcomeSeconds } from '../messages.ts'
import { mostPartitions } from '../partitions.ts'
import { loadScript, runScript } from '../redis/script.ts'
import { foundBy, rejectedBy } from './pipeline.ts'
import { generationSeconds } from './runner/ledger.ts'
import { keepsLedger, ledgerLines, type Plan } from './runner/plan.ts'
import type { Stage } from './stage.ts'

const script = loadScript(import.meta.url)

export type CommitReply =
  | {
      readonly status: 'committed'
      readonly passed: number
      readonly duplicates: number
      readonly rejected: number
      /** When, by Redis' clock, in ms. */
      readonly atMs: number
    }
  /**
   * Nothing is committed: only these entries are still pending. `again`: how many others the group has handed out again
   * though the stage had committed them; they are acknowledged.
   */
  | { readonly status: 'stale'; readonly held: readonly string[]; readonly again: number }
  /** Nothing changed: it is this generation of the ledger by Redis' clock. */
  | { readonly status: 'generation'; readonly generation: number }
  /** Nothing changed: these emitted records are known with these other ledger values. */
  | { readonly status: 'conflict'; readonly conflicts: readonly Conflict[] }

export type Conflict = readonly [emit: number, known: string]

/** Commits a plan, all of it or nothing (see commit.lua). */
export async function commit(
  { redis, config }: App,
  {
    stage,
    keys,
    consumer,
    traceparent,
  }: { stage: Stage; keys: Keys; consumer: string; traceparent?: string | undefined },
  plan: Plan,
  generation: number,
): Promise<CommitReply> {
  const source = keys.stream[stage.from]
  const target = stage.to ? keys.stream[stage.to] : source
  const names = [source, target, keys.counters, keys.invalid, keys.invalidOrders, keys.done(stage.name)]
  const place = { keys, buckets: config.ledgerBuckets, generation }
  const ledger = keepsLedger(stage) ? ledgerLines(plan, place) : undefined
  names.push(...(ledger?.buckets ?? []))
  const { shapes, numberOf } = shaped(names, plan.hashes)
  const boards = [...plan.boards].map(([key, scores]) => [names.push(key), ...[...scores].flatMap(([m, s]) => [s, m])])
  const groups = plan.rejects.map(({ group }) => numberIn(names, keys.invalidGroup(group)))
  const tickets = (ledger?.tickets ?? []).map(([line, ticket]) => [line, numberIn(names, keys.outcome(ticket))])
  const totals = plan.emits.map(({ totals }) => (totals === undefined ? 0 : numberOf.get(totals)))
  const wire = {
    ids: plan.entryIds,
    ...(ledger && {
      ledger: {
        generation,
        seconds: generationSeconds(config),
        lines: ledger.lines,
        count: numberIn(names, keys.remembered),
      },
    }),
    hashes: shapes,
    boards,
    ...(totals.some((number) => number !== 0) && { totals }),
    tickets,
    outcome_seconds: outcomeSeconds,
    emits: plan.emits.length,
    rejects: plan.rejects.length,
    orders: plan.orders,
    found: plan.found,
    ...(plan.emits.length > 0 && plan.sent.length > 0 && { sent: JSON.stringify(plan.sent) }),
    ...(keys.partition !== undefined && { id: { step: mostPartitions, rest: keys.partition } }),
    traceparent,
    counts: { passed: stage.counts, rejected: rejectedBy(stage), found: foundBy(stage) },
  }
  const args = [
    stage.name,
    consumer,
    JSON.stringify(wire),
    ...plan.emits.map(({ text }) => text),
    ...plan.rejects.flatMap(({ group, orders, record }, at) => [codeOf(group), groups[at] ?? 0, orders, record]),
  ]
  return parseReply(await runScript(redis, script, names, args))
}

/** Fields of a hash that one HMGET can take: Lua passes some 8,000 arguments at once. */
const maxFields = 1_000

/**
 * Appends each hash's key to `names`. What goes to the same fields of several hashes is told together: the fields, then per
 * hash its key's number (from 1, as in Lua) and an amount for each.
 */
function shaped(names: string[], hashes: Plan['hashes']) {
  const shapes = new Map<string, [fields: string[], adds: number[]]>()
  const numberOf = new Map<string, number>()
  for (const [key, amounts] of hashes) {
    const number = names.push(key)
    numberOf.set(key, number)
    const all = [...amounts.keys()]
    for (let from = 0; from < all.length; from += maxFields) {
      const fields = all.length > maxFields ? all.slice(from, from + maxFields) : all
      const name = JSON.stringify(fields)
      const shape = shapes.get(name) ?? [fields, []]
      shapes.set(name, shape)
      shape[1].push(number, ...fields.map((field) => amounts.get(field) ?? 0))
    }
  }
  return { shapes: [...shapes.values()], numberOf }
}

/** A key's number, once however often it is asked for. */
function numberIn(names: string[], key: string): number {
  const at = names.indexOf(key)
  return at === -1 ? names.push(key) : at + 1
}

const replies = z.union([
  z.tuple([z.literal('committed'), z.int(), z.int(), z.int(), z.int()]),
  z.tuple([z.literal('stale'), z.int()], z.string()),
  z.tuple([z.literal('generation'), z.int()]),
  z.tuple([z.literal('conflict')], z.union([z.int(), z.string()])),
])

function parseReply(value: unknown): CommitReply {
  const parsed = replies.safeParse(value)
  if (!parsed.success) {
    throw new OrdersError('ORD_REDIS_REPLY', 'Redis replied to commit.lua in an unknown shape.', {
      cause: parsed.error,
    })
  }
  const reply = parsed.data
  if (reply[0] === 'committed') {
    const [status, passed, duplicates, rejected, atMs] = reply
    return { status, passed, duplicates, rejected, atMs }
  }
  if (reply[0] === 'generation') return { status: reply[0], generation: reply[1] }
  if (reply[0] === 'stale') {
    const [status, again, ...held] = reply
    return { status, held, again }
  }
  const conflicts: [number, string][] = []
  for (let i = 1; i + 1 < reply.length; i += 2) conflicts.push([Number(reply[i]), String(reply[i + 1])])
  return { status: reply[0], conflicts }
}
