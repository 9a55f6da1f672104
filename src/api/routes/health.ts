import { z } from 'zod'
import { proveWrite } from '../../ingest/proof/barrier.ts'
import { failure } from '../http/failure.ts'
import { checks } from '../http/problem.ts'
import { refuse } from '../http/reply.ts'
import { defineRoute, type HealthContext } from '../http/route.ts'

/** A loop makes progress at least every BLOCK_MS or SQS_WAIT_TIME_SECONDS. This is twice the longest they can be. */
const silentMs = 45_000

export const livez = defineRoute({
  method: 'get',
  path: '/livez',
  summary: 'Liveness: every loop of this process is making progress.',
  reply: z
    .object({
      status: z.string(),
      loops: z.record(z.string(), z.int()).meta({ description: 'ms since it last made progress' }),
    })
    .meta({ id: 'Liveness' }),
  refusals: { 503: 'A loop makes no progress.' },
  handle: async ({ pulse, stopping }: HealthContext) => {
    const loops = [...pulse].map(([name, at]): [string, number] => [name, Math.round(performance.now() - at)])
    const silent = loops.filter(([, ageMs]) => ageMs > silentMs).map(([name]) => name)
    if (silent.length > 0 && !stopping?.aborted) return refuse(503, `No progress in ${silent.join(', ')}.`)
    return { status: 'ok', loops: Object.fromEntries(loops) }
  },
})

export const readyz = defineRoute({
  method: 'get',
  path: '/readyz',
  summary: 'Readiness: Redis answers and accepts writes, and this process is not stopping.',
  reply: z.object({ status: z.string(), checks }).meta({ id: 'Readiness' }),
  refusals: { 503: 'Redis does not answer or accepts no writes, or this process is stopping.' },
  handle: async ({ probe, partitions, instance, stopping, sqs }: HealthContext) => {
    if (stopping?.aborted) return refuse(503, 'This process is stopping: send requests to another.')
    try {
      await Promise.all(partitions.map((keys) => proveWrite(probe, keys, instance)))
      return { status: 'ok', checks: { redis: 'ok', sqs: sqs() } }
    } catch (error) {
      const { status, detail } = failure(error)
      if (status !== 503) throw error
      return refuse(status, detail, {}, { checks: { redis: detail, sqs: sqs() } })
    }
  },
})
