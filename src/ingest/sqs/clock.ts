import type { SQSClient } from '@aws-sdk/client-sqs'
import { type ClockOffset, offsetByDate } from '../../clock-offset.ts'

/** Compares SQS' clock with this machine's at each reply. @returns a function that returns the newest offset, if there is one */
export function followClock({ middlewareStack }: Pick<SQSClient, 'middlewareStack'>): () => ClockOffset | undefined {
  let offset: ClockOffset | undefined
  middlewareStack.add(
    (next) => async (request) => {
      const from = Date.now()
      const reply = await next(request)
      const { headers } = reply.response as { headers?: Record<string, string> }
      offset = offsetByDate(headers?.['date'], from, Date.now()) ?? offset
      return reply
    },
    // Next to the network: outside of it are retries, and refusals have become errors.
    { step: 'deserialize', priority: 'low', name: 'followClock' },
  )
  return () => offset
}
