import { z } from 'zod'
import { parseWhat, readAudit } from '../../control/audit-log.ts'
import { type Pause, pause, pausePart, readSteering, resumePart, type Steered } from '../../control/pauses.ts'
import { openBacklog, type StageBacklog } from '../../reads/backlog.ts'
import { pipeline } from '../../stages/pipeline.ts'
import { operatorOf } from '../http/access.ts'
import { type Call, defineRoute, refuse } from '../http/handler.ts'
import { integerParam } from '../http/schemas.ts'

/** What can be paused, in the order of the line. */
export const parts: readonly string[] = ['bridge', ...pipeline.map(({ name }) => name)]

/** What a part that is none is told. */
export const noPart = (part: string): string =>
  `There is no part "${part}" to pause or resume: expected ${parts.join(', ')}.`

/** What came of it, in a sentence. */
export function toldOf({ part, changed, before, pause }: Steered): string {
  const whose = ({ by, ts }: Pause): string => (ts ? `${by} since ${ts}` : by)
  if (!changed) return pause ? `${part} was paused already, by ${whose(pause)}.` : `${part} was not paused.`
  const was = before ? ` It had been paused by ${whose(before)}.` : ''
  return pause ? `${part} is paused by ${pause.by}.${was}` : `${part} runs again.${was}`
}

const partState = z
  .object({ part: z.string(), paused: z.boolean(), ...pause.partial().shape })
  .meta({ id: 'PartState', description: 'Of a paused part also by whom, since when and why.' })

export const steering = defineRoute({
  method: 'get',
  path: '/admin/steering',
  summary: 'Which parts are paused, by whom, since when and why.',
  right: 'orders',
  reply: z.object({ parts: z.array(partState) }).meta({ id: 'Steering' }),
  handle: async ({ ask, control }) => {
    const paused = await readSteering(ask, control)
    return { parts: parts.map((part) => ({ part, paused: part in paused, ...paused[part] })) }
  },
})

const params = z.object({ part: z.string().meta({ description: `One of ${parts.join(', ')}.` }) })
const body = z
  .object({ reason: z.string().min(1).max(1_000).optional() })
  .strict()
  .meta({ id: 'Steer' })
const steered = z
  .object({
    ...partState.shape,
    changed: z.boolean().meta({ description: 'False where it was so already.' }),
    message: z.string(),
  })
  .meta({ id: 'Steered' })

const replyOf = (came: Steered) => ({
  part: came.part,
  paused: came.pause !== undefined,
  ...came.pause,
  changed: came.changed,
  message: toldOf(came),
})

const operatorIn = ({
  header,
  body: { reason },
}: Pick<Call<z.ZodObject, z.ZodObject, typeof body>, 'header' | 'body'>) => ({
  by: operatorOf(header),
  reason,
})

export const pauseRoute = steerRoute(
  'pause',
  'Pauses a part in every process, until it is resumed; what is in hand is done first.',
  pausePart,
)

export const resumeRoute = steerRoute('resume', 'Lets a paused part run again.', resumePart)

function steerRoute(verb: string, summary: string, steer: typeof resumePart) {
  return defineRoute({
    method: 'post',
    path: `/admin/${verb}/{part}`,
    summary,
    params,
    body,
    audited: true,
    reply: steered,
    refusals: { 404: 'There is no such part.' },
    handle: async (app, call) => {
      const { part } = call.params
      if (!parts.includes(part)) return refuse(404, noPart(part))
      return replyOf(await steer({ ...app, redis: app.ask }, part, operatorIn(call)))
    },
  })
}

export const drainRoute = defineRoute({
  method: 'post',
  path: '/admin/drain',
  summary: 'Pauses the bridge, so that the stages work off what there is, and tells how many orders still wait.',
  body,
  audited: true,
  status: 202,
  reply: z
    .object({ ...steered.shape, waiting: z.record(z.string(), z.int()).meta({ description: 'Orders by stage.' }) })
    .meta({ id: 'Draining' }),
  handle: async (app, call) => {
    const came = await pausePart({ ...app, redis: app.ask }, 'bridge', operatorIn(call), 'drain')
    const { stages } = await openBacklog({ ...app, redis: app.ask })()
    return { ...replyOf(came), waiting: waitingByStage(stages) }
  },
})

/** Orders that wait, by stage. */
export type Waiting = Readonly<Record<string, number>>

export function waitingByStage(stages: readonly StageBacklog[]): Waiting {
  return Object.fromEntries(stages.map(({ stage, waiting }) => [stage, waiting]))
}

export const auditTrail = defineRoute({
  method: 'get',
  path: '/admin/audit',
  summary: 'What was done as an admin, newest first. For the next page, `before` is the id of the last one.',
  right: 'admin',
  query: z.object({
    limit: integerParam(1, 1_000, 50, 'How many at most.'),
    before: z
      .string()
      .regex(/^\d{1,16}-\d{1,16}$/, 'must be an id such as 1764000000000-0')
      .optional()
      .meta({ description: 'Only entries older than this one.' }),
  }),
  reply: z.array(
    z
      .object({
        id: z.string(),
        ts: z.iso.datetime(),
        action: z.string(),
        by: z.string().meta({ description: 'X-Operator, the user name of a login, or of the system for a command.' }),
        what: z
          .unknown()
          .meta({ description: 'Parameters and body; long parts are cut, and `sha256` is that of the body.' }),
        outcome: z.string().meta({
          description: '`begun` while it goes on, or where its process died; `done`, a status, or why it failed.',
        }),
      })
      .meta({ id: 'AuditEntry' }),
  ),
  handle: async ({ ask, control }, { query }) => {
    const entries = await readAudit(ask, control, query)
    return entries.map((entry) => ({ ...entry, what: parseWhat(entry.what) }))
  },
})
