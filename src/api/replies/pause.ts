import { z } from 'zod'
import { type PauseResult, pauseSchema, pauseText } from '../../control/pauses.ts'

export const componentState = z
  .object({ component: z.string(), paused: z.boolean(), ...pauseSchema.partial().shape })
  .meta({ id: 'ComponentState', description: 'A paused component also has by whom, since when and why.' })

/** The result of a pause or resume, as the API and the commands with `--json` show it. */
export const pauseReply = z
  .object({
    ...componentState.shape,
    changed: z.boolean().meta({ description: 'False if it was already in that state.' }),
    message: z.string(),
  })
  .meta({ id: 'PauseResult' })

export const pauseOf = (result: PauseResult): z.input<typeof pauseReply> => ({
  component: result.component,
  paused: result.pause !== undefined,
  ...result.pause,
  changed: result.changed,
  message: pauseText(result),
})

/** The result of a drain: that of the pause of the bridge, and what still waits. */
export const drainReply = z
  .object({ ...pauseReply.shape, waiting: z.record(z.string(), z.int()).meta({ description: 'Orders by stage.' }) })
  .meta({ id: 'Draining' })
