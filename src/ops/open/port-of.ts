import type { Port } from '../../api/listen.ts'
import type { Config } from '../../config/config.ts'

/** Returns the port that the server of these roles will use; undefined if they have none. */
export function portOf({ apiPort, metricsPort }: Config, roles: readonly string[]): Port | undefined {
  if (roles.includes('api')) return { variable: 'API_PORT', port: apiPort }
  return metricsPort === undefined ? undefined : { variable: 'METRICS_PORT', port: metricsPort }
}
