/**
 * A preload (`node --import`) that strikes at a step of the process it is loaded into, once each time that it is armed: at an
 * event of telemetry, or when a call to SQS has been answered. It knows the code only from outside, by its diagnostics
 * channels. See strike.ts.
 */
import diagnostics from 'node:diagnostics_channel'
import type { ClientRequest } from 'node:http'
import type { Strike } from './strike.ts'

let armed: Strike | undefined
let seen = 0

function arm(strike: Strike): void {
  armed = strike
  seen = 0
}

function strike(after = false): void {
  if (!armed) return
  const { pid, signal } = armed
  armed = undefined
  if (after) setImmediate(() => process.kill(pid || process.pid, signal))
  else process.kill(pid || process.pid, signal)
}

diagnostics.subscribe('order-pipeline:event', (message) => {
  if (!armed || !('event' in armed.trigger)) return
  const { event, fields } = message as { event: string; fields: { stage?: string } }
  const { trigger } = armed
  if (event !== trigger.event || (trigger.stage !== undefined && fields.stage !== trigger.stage)) return
  if (++seen === (trigger.nth ?? 1)) strike(trigger.after)
})

diagnostics.subscribe('http.client.response.finish', (message) => {
  if (!armed || !('call' in armed.trigger)) return
  const { request, response } = message as { request: ClientRequest; response: { headers: Record<string, string> } }
  const isCall = String(request.getHeader('x-amz-target')).endsWith(`.${armed.trigger.call}`)
  // An answer without messages is two bytes.
  if (isCall && Number(response.headers['content-length'] ?? 0) > 20) strike()
})

const { STRIKE: atStart } = process.env
if (atStart !== undefined) arm(JSON.parse(atStart))
if (process.send) {
  process.on('message', (strike: Strike) => {
    arm(strike)
    process.send?.('armed')
  })
  process.channel?.unref()
}
