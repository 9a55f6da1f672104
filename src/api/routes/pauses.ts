import { z } from 'zod'
import { readAudit } from '../../control/audit-log.ts'
import {
  type PauseResult,
  pauseComponent,
  readPauses,
  resumeComponent,
  unknownComponent,
} from '../../control/pauses.ts'
import { openBacklog, waitingByStage } from '../../reads/backlog.ts'
import { namelessNote, operatorOf } from '../http/access.ts'
import { refuse } from '../http/reply.ts'
import { type Call, defineRoute } from '../http/route.ts'
import { integerParam } from '../http/schemas.ts'
import { auditOf, auditReply } from '../replies/audit.ts'
import { componentState, drainReply, pauseOf, pauseReply } from '../replies/pause.ts'

export const pausesRoute = defineRoute({
  method: 'get',
  path: '/admin/pauses',
  summary: 'Which components are paused, by whom, since when and why.',
  right: 'orders',
  reply: z.object({ components: z.array(componentState) }).meta({ id: 'Pauses' }),
  handle: async ({ redis, control, pipeline: { components } }) => {
    const paused = await readPauses(redis, control)
    return {
      components: components.map((component) => ({ component, paused: component in paused, ...paused[component] })),
    }
  },
})

const params = z.object({
  component: z.string().meta({ description: 'The bridge, or a stage by its name, as `GET /admin/pauses` names them.' }),
})
const body = z
  .object({ reason: z.string().min(1).max(1_000).optional() })
  .strict()
  .meta({ id: 'PauseRequest' })
const replyOf = (result: PauseResult, { header }: Pick<Call, 'header'>) => {
  const reply = pauseOf(result)
  return { ...reply, message: reply.message + namelessNote(header) }
}

const operatorIn = ({
  header,
  body: { reason },
}: Pick<Call<z.ZodObject, z.ZodObject, typeof body>, 'header' | 'body'>) => ({
  by: operatorOf(header),
  reason,
})

export const pauseRoute = pauseChangeRoute(
  'pause',
  'Pauses a component in every process until it is resumed. Work in flight is finished first.',
  pauseComponent,
)

export const resumeRoute = pauseChangeRoute('resume', 'Resumes a paused component.', resumeComponent)

function pauseChangeRoute(verb: string, summary: string, change: typeof resumeComponent) {
  return defineRoute({
    method: 'post',
    path: `/admin/${verb}/{component}`,
    summary,
    params,
    writes: true,
    body,
    audited: true,
    reply: pauseReply,
    refusals: { 404: 'There is no such component.' },
    handle: async (context, call) => {
      const { component } = call.params
      const { components } = context.pipeline
      if (!components.includes(component)) return refuse(404, unknownComponent(component, components))
      return replyOf(await change(context, component, operatorIn(call)), call)
    },
  })
}

export const drainRoute = defineRoute({
  method: 'post',
  path: '/admin/drain',
  summary: 'Pauses the bridge so that the stages drain, and returns how many orders still wait.',
  writes: true,
  body,
  audited: true,
  status: 202,
  reply: drainReply,
  handle: async (context, call) => {
    const result = await pauseComponent(context, 'bridge', operatorIn(call), 'drain')
    const { stages } = await openBacklog(context)()
    return { ...replyOf(result, call), waiting: waitingByStage(stages) }
  },
})

export const auditTrail = defineRoute({
  method: 'get',
  path: '/admin/audit',
  summary: 'Admin audit log, newest first. For the next page, set `before` to the id of the last entry.',
  right: 'admin',
  query: z.object({
    limit: integerParam(1, 1_000, 50, 'The most entries to return.'),
    before: z
      .string()
      .regex(/^\d{1,16}-\d{1,16}$/, 'must be an id such as 1764000000000-0')
      .optional()
      .meta({ description: 'Only entries older than this one.' }),
  }),
  reply: z.array(auditReply),
  handle: async ({ redis, control }, { query }) => (await readAudit(redis, control, query)).map(auditOf),
})
