import { z } from 'zod'
import { blastRadius, undoWhere } from './undos.ts'

/** Takes the orders of a window back, or puts back those that the undo of this name took. */
export const undoData = z.object({
  name: z.string(),
  redo: z.boolean(),
  dryRun: z.boolean(),
  /** The window, in ms: from the first, to before the second. Of a redo, when its undo was asked for. */
  fromMs: z.int(),
  toMs: z.int(),
  /** As it is kept: a job names no user. */
  where: undoWhere.optional(),
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
    left: z.int().meta({ description: 'Orders that the archive does not have as they stand: they stay as they are.' }),
    radius: blastRadius.nullable().meta({ description: 'Of a dry run.' }),
  })
  .meta({ id: 'UndoResult' })
export type UndoResult = z.output<typeof undoResult>
