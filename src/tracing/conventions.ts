import type { Attributes } from '@opentelemetry/api'
import { OrdersError } from '../errors.ts'
import type { Consumed } from './tracing.ts'

/*
 * The attributes of spans by the semantic conventions of OpenTelemetry, 1.45. `messaging.system` was renamed to
 * `messaging.system.name` there, with other values; backends still ask for the first.
 */

export const operation = 'process'

const systemNames = { aws_sqs: 'aws.sqs', redis: 'redis', bullmq: 'bullmq' } as const

export const messagingAttributes = ({ system, destination, group, partition }: Consumed): Attributes => ({
  'messaging.system': system,
  'messaging.system.name': systemNames[system],
  'messaging.operation.name': operation,
  'messaging.operation.type': operation,
  'messaging.destination.name': destination,
  ...(group !== undefined && { 'messaging.consumer.group.name': group }),
  ...(partition !== undefined && { 'messaging.destination.partition.id': String(partition) }),
})

export const requestAttributes = (method: string, route: string): Attributes => ({
  'http.request.method': method,
  'http.route': route,
})

/** Returns the class of an error. It has few values: no text of an error, which may quote anything. */
export function errorType(error: unknown): string {
  if (error instanceof OrdersError) return error.code
  const { name, message } = (error ?? {}) as { name?: unknown; message?: unknown }
  const code = /^([A-Z]{3,})\b/.exec(String(message))?.[1]
  return code ?? (typeof name === 'string' && name !== '' ? name : '_OTHER')
}
