import type { BridgePart } from '../ingest/failure-log.ts'
import type { Telemetry } from '../telemetry.ts'

/** Components of a bridge that call SQS. */
const asksSqs: readonly string[] = ['receive', 'delete', 'renew'] satisfies BridgePart[]

/**
 * Follows the calls of this process' bridge to SQS.
 * @returns a function that returns `ok`, or why they fail; undefined if this process is no bridge
 */
export function followSqs(telemetry: Pick<Telemetry, 'on'>): () => string | undefined {
  const failing = new Map<string, string>()
  let isBridge = false
  telemetry.on('started', ({ roles }) => {
    isBridge = roles.includes('bridge')
  })
  telemetry.on('bridgeFailed', ({ component, error }) => void failing.set(component, error))
  telemetry.on('bridgeBack', ({ component }) => void failing.delete(component))
  return () => {
    const [error] = [...failing].flatMap(([component, why]) => (asksSqs.includes(component) ? [why] : []))
    return isBridge ? (error ?? 'ok') : undefined
  }
}
