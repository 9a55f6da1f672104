import { z } from 'zod'
import { proveWrite } from '../../ingest/barrier.ts'
import { defineRoute, refuse } from '../http/handler.ts'

/** A loop goes round at least every BLOCK_MS or SQS_WAIT_TIME_SECONDS; twice the longest of them is silence. */
const silentMs = 45_000

export const livez = defineRoute({
  method: 'get',
  path: '/livez',
  summary: 'Whether this process and each of its loops go round.',
  reply: z
    .object({
      status: z.string(),
      loops: z.record(z.string(), z.int()).meta({ description: 'ms since its last round' }),
    })
    .meta({ id: 'Liveness' }),
  refusals: { 503: 'A loop has gone silent.' },
  handle: async ({ pulse, stopping }) => {
    const loops = [...pulse].map(([name, at]): [string, number] => [name, Math.round(performance.now() - at)])
    const silent = loops.filter(([, ageMs]) => ageMs > silentMs).map(([name]) => name)
    if (silent.length > 0 && !stopping?.aborted) return refuse(503, `No sign of life from ${silent.join(', ')}.`)
    return { status: 'ok', loops: Object.fromEntries(loops) }
  },
})

export const readyz = defineRoute({
  method: 'get',
  path: '/readyz',
  summary: 'Whether Redis answers and takes writes, and this process is not asked to stop.',
  reply: z.object({ status: z.string() }).meta({ id: 'Readiness' }),
  refusals: { 503: 'Redis does not answer or takes no writes, or the process stops.' },
  handle: async ({ probe, partitions, instance, stopping }) => {
    if (stopping?.aborted) return refuse(503, 'This process stops: send requests to another.')
    await Promise.all(partitions.map((keys) => proveWrite(probe, keys, instance)))
    return { status: 'ok' }
  },
})
