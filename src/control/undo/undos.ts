import { z } from 'zod'
import type { App } from '../../app.ts'
import { identityDigest } from '../../order/identity.ts'
import { parseStandardJson } from '../../order/json.ts'

/*
 * The registry of undos: a hash, with up to five fields for each undo. Each field is written once, by whichever process comes
 * first, and never changes. So a job that was killed, and one that does not know that it lost its lock, cannot disturb it.
 */

const phases = ['asked', 'radius', 'undone', 'redo', 'redone'] as const
type Phase = (typeof phases)[number]

/** Which orders of a window an undo takes; every field that is given must match. */
export const undoWhere = z
  .object({
    user: z.string().optional().meta({ description: 'The `user_id`.' }),
    source: z
      .string()
      .optional()
      .meta({ description: 'The field `source` of the order, or the source of an envelope around it.' }),
    event: z.string().optional().meta({ description: 'The field `event` of the order; without one `order.placed`.' }),
    version: z.string().optional().meta({ description: 'The field `version` of the order.' }),
  })
  .strict()
  .meta({ id: 'UndoWhere' })
export type UndoWhere = z.output<typeof undoWhere>

const time = z.string().meta({ description: 'RFC 3339.' })
const by = z.string()

/** The window, and who asked for it. The registry names no user: of the `user` it has the hash. */
const asked = z.object({
  ...{ from: time, to: time, by, at: time, job_id: z.string() },
  where: undoWhere.optional().meta({ description: 'As it was given; of `user` the SHA-256.' }),
})
export type AskedUndo = z.output<typeof asked>

const redo = z.object({ by, at: time, job_id: z.string() })

/** Describes the change that an undo makes. Amounts are in currency units. */
export const blastRadius = z
  .object({
    orders: z.int(),
    users: z.int(),
    revenue: z.number().meta({ description: 'What is left of the orders, after their corrections.' }),
    days: z
      .array(z.object({ day: z.string(), orders: z.int(), revenue: z.number() }))
      .meta({ description: 'The days that change, with what is taken off each.' }),
    ranks_changed: z.int().meta({ description: 'Users among the top 100 by spend whose rank changes.' }),
    ranks: z
      .array(z.object({ user_id: z.string(), from: z.int(), to: z.int().nullable() }))
      .meta({ description: 'The first of them, in the result of a dry run; `to` is null if they leave the top 100.' }),
    erased: z.int().meta({ description: 'Orders of the window whose user was erased: they stay.' }),
    forgotten: z.int().meta({ description: 'Orders of the window that the ledger does not know any more: they stay.' }),
    undone_before: z.int().meta({ description: 'Orders of the window that another undo has taken back.' }),
    admitted_again: z.int().meta({
      description:
        'Admissions in the window of orders that were admitted again later, as after LEDGER_DAYS: they stay.',
    }),
    archive_from: time.optional().meta({ description: 'The first order that the archive has.' }),
    warning: z
      .string()
      .optional()
      .meta({ description: 'How the archive may lack orders of the window, as a sentence.' }),
    other_corrections: z
      .int()
      .meta({ description: 'Corrections in the window whose order came before it, or does not match: they stay.' }),
  })
  .meta({ id: 'BlastRadius' })
export type BlastRadius = z.output<typeof blastRadius>

export const leftAbout =
  'Orders that stay as they are, as the archive does not have them as they stand. A redo also counts those that it did not find.'

/** How an undo or a redo ended. */
export const reversed = z.object({
  at: time,
  orders: z.int(),
  users: z.int(),
  revenue: z.number(),
  left: z.int().meta({ description: leftAbout }),
})
export type Reversed = z.output<typeof reversed>

export const undoStates = ['undoing', 'undone', 'redoing', 'redone'] as const

/** An undo as the API and `orders undo list --json` show it. */
export const undoReply = z
  .object({
    name: z.string(),
    state: z.enum(undoStates),
    ...asked.shape,
    radius: blastRadius.nullable().meta({ description: 'As the job found it before it sent the first order.' }),
    undone: reversed.nullable(),
    redo: redo.nullable(),
    redone: reversed.nullable(),
  })
  .meta({ id: 'Undo' })
export type Undo = z.output<typeof undoReply>

type Scope = Pick<App, 'redis' | 'control'>

const fieldOf = (phase: Phase, name: string): string => `${phase} ${name}`

/** Writes a field, unless it is written. Returns whether this call has written it. */
async function writeOnce({ redis, control }: Scope, phase: Phase, name: string, value: object): Promise<boolean> {
  return (await redis.hsetnx(control.undos, fieldOf(phase, name), JSON.stringify(value))) === 1
}

/** Returns the filter of an undo as it is kept: jobs and the registry name no user. */
export const keptWhere = ({ user, ...where }: UndoWhere): UndoWhere =>
  user === undefined ? where : { user: keptUser(user), ...where }
export const keptUser = (userId: string): string => `sha256:${identityDigest(userId)}`

/** Registers an undo. Returns false if the name is taken. */
export const registerUndo = (scope: Scope, name: string, value: AskedUndo): Promise<boolean> =>
  writeOnce(scope, 'asked', name, value)
/** Registers what an undo changes, without the users whose ranks change. */
export const registerRadius = (scope: Scope, name: string, value: BlastRadius): Promise<boolean> =>
  writeOnce(scope, 'radius', name, { ...value, ranks: [] })
export const registerRedo = (scope: Scope, name: string, value: z.output<typeof redo>): Promise<boolean> =>
  writeOnce(scope, 'redo', name, value)
export const registerReversed = (
  scope: Scope,
  phase: 'undone' | 'redone',
  name: string,
  value: Reversed,
): Promise<boolean> => writeOnce(scope, phase, name, value)

/** Reads one undo. */
export async function readUndo({ redis, control }: Scope, name: string): Promise<Undo | undefined> {
  const values = await redis.hmget(control.undos, ...phases.map((phase) => fieldOf(phase, name)))
  return undoIn(name, Object.fromEntries(phases.map((phase, at) => [phase, values[at] ?? undefined])))
}

/** Reads all undos, the newest first. */
export async function readUndos({ redis, control }: Scope): Promise<Undo[]> {
  const fields = Object.entries(await redis.hgetall(control.undos))
  const byName = Map.groupBy(fields, ([field]) => field.slice(field.indexOf(' ') + 1))
  const all = [...byName].map(([name, own]) =>
    undoIn(name, Object.fromEntries(own.map(([field, value]) => [field.slice(0, field.indexOf(' ')), value]))),
  )
  return all.flatMap((one) => one ?? []).sort((one, other) => Date.parse(other.at) - Date.parse(one.at))
}

function undoIn(name: string, texts: Readonly<Record<string, string | undefined>>): Undo | undefined {
  const of = <T>(phase: Phase, schema: z.ZodType<T>): T | undefined =>
    schema.safeParse(parseStandardJson(texts[phase] ?? '')).data
  const known = of('asked', asked)
  if (!known) return undefined
  const found = { undone: of('undone', reversed), redo: of('redo', redo), redone: of('redone', reversed) }
  const state = found.redone ? 'redone' : found.redo ? 'redoing' : found.undone ? 'undone' : 'undoing'
  const orNull = Object.fromEntries(Object.entries(found).map(([phase, value]) => [phase, value ?? null]))
  return undoReply.parse({ name, state, ...known, radius: of('radius', blastRadius) ?? null, ...orNull })
}
