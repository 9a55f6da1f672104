/**
 * A preload (`node --import`) that strikes at one step of the process it is loaded into, once: at an event of telemetry, or
 * when a call to SQS has been answered. It knows the code only from outside, by its diagnostics channels.
 */
import diagnostics from 'node:diagnostics_channel'
import type { ClientRequest } from 'node:http'

/** `nth`: not the first time, but that. `after`: what the step begins is under way, and its answer has not been read. */
export type Trigger =
  | { readonly event: string; readonly stage?: string; readonly after?: boolean; readonly nth?: number }
  | { readonly call: string }

export interface Strike {
  readonly trigger: Trigger
  /** The process that is hit: its id, or 0 for the one that strikes. */
  readonly pid: number
  readonly signal: NodeJS.Signals
}

const { trigger, pid, signal } = JSON.parse(process.env['STRIKE'] ?? '{}') as Strike
let struck = false
let seen = 0

function strike(): void {
  if (struck) return
  struck = true
  process.kill(pid || process.pid, signal)
}

if ('event' in trigger) {
  diagnostics.subscribe('order-pipeline:event', (message) => {
    const { event, fields } = message as { event: string; fields: { stage?: string } }
    if (event !== trigger.event || (trigger.stage !== undefined && fields.stage !== trigger.stage)) return
    if (++seen < (trigger.nth ?? 1)) return
    if (trigger.after) setImmediate(strike)
    else strike()
  })
} else {
  diagnostics.subscribe('http.client.response.finish', (message) => {
    const { request, response } = message as { request: ClientRequest; response: { headers: Record<string, string> } }
    const isCall = String(request.getHeader('x-amz-target')).endsWith(`.${trigger.call}`)
    // An answer without messages is two bytes.
    if (isCall && Number(response.headers['content-length'] ?? 0) > 20) strike()
  })
}
