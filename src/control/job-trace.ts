import type { Job, JobsOptions } from 'bullmq'
import { z } from 'zod'
import { parseStandardJson } from '../order/json.ts'
import { sentContext } from '../tracing/context.ts'
import type { Queues } from './job-queues.ts'

/*
 * BullMQ keeps a context with each job. It is written as `bullmq-otel` would, so that its other clients can read it. That
 * package itself needs a global provider and context manager, and makes spans of every poll.
 */

/** Returns the queues, with jobs that continue a trace. */
export function continueTrace(queues: Queues, context: string): Queues {
  const [traceparent, ...state] = context.split(' ')
  const tracestate = state.length > 0 ? state.join(' ') : undefined
  const telemetry = { metadata: JSON.stringify({ traceparent, tracestate }) }
  const traced = <Q extends Queues['reprocess' | 'replay' | 'redrive' | 'undo']>(queue: Q): Q => {
    const add = (name: string, data: never, options?: JobsOptions) => queue.add(name, data, { ...options, telemetry })
    return Object.assign(Object.create(queue), { add })
  }
  return {
    ...queues,
    reprocess: traced(queues.reprocess),
    replay: traced(queues.replay),
    redrive: traced(queues.redrive),
    undo: traced(queues.undo),
  }
}

const carrier = z.object({ traceparent: z.string(), tracestate: z.string().optional() })

/** Returns the context of the span that added a job, if it was traced. */
export function traceOfJob({ opts }: Pick<Job, 'opts'>): string | undefined {
  const { data } = carrier.safeParse(parseStandardJson(opts.telemetry?.metadata ?? ''))
  return data && sentContext(data.traceparent, data.tracestate)
}
