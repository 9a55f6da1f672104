import { z } from 'zod'
import { blastRadius, leftAbout, undoWhere } from './undos.ts'

/** Takes the orders of a window back, or puts back those that the undo of this name took. */
export const undoData = z.object({
  name: z.string(),
  redo: z.boolean(),
  dryRun: z.boolean(),
  /** The window, in ms: from the first, to before the second. A redo has that of its undo. */
  fromMs: z.int(),
  toMs: z.int(),
  /** As it is kept: a job names no user. */
  where: undoWhere.optional(),
  /** The jobs of the undo, for its redo: what they have sent must have its verdicts first. */
  after: z.array(z.string()).optional(),
})
export type UndoData = z.output<typeof undoData>

/** Result of an undo or a redo. */
export const undoResult = z
  .object({
    name: z.string(),
    redo: z.boolean(),
    dry_run: z.boolean(),
    cancelled: z.boolean().optional().meta({ description: 'Cancelled: what it has sent stays undone, or redone.' }),
    orders: z.int(),
    users: z.int(),
    revenue: z.number(),
    left: z.int().meta({ description: leftAbout }),
    left_reason: z.string().optional().meta({ description: 'Why some are left, as a sentence.' }),
    radius: blastRadius.nullable().meta({ description: 'Of a dry run.' }),
  })
  .meta({ id: 'UndoResult' })
export type UndoResult = z.output<typeof undoResult>
