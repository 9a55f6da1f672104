import type { Variable } from './variable.ts'
import { variables } from './variables.ts'

/** Variables that most deployments set; the table has their names in bold. */
const commonlySet: ReadonlySet<string> = new Set([
  variables.awsRegion.name,
  variables.sqsQueueName.name,
  variables.redisUrl.name,
  variables.apiHost.name,
  variables.apiAllowedHosts.name,
  variables.apiPort.name,
  variables.adminTokens.name,
  variables.metricsPort.name,
  variables.sqsDeleteAfter.name,
  variables.drainMs.name,
])

/** Returns the Markdown table of all variables. The allowed values are what a refused value is answered with. */
export function configTable(): string {
  const rows = Object.values<Variable>(variables).map(({ name, unit, about, unset, expected, schema }) => {
    const fallback = unset ?? `\`${schema.parse(undefined)}\``
    const shown = commonlySet.has(name) ? `**\`${name}\`**` : `\`${name}\``
    return `| ${shown} | ${unit} | ${fallback} | ${expected} | ${about} |`
  })
  return ['| variable | unit | default | allowed | |', '|---|---|---|---|---|', ...rows].join('\n')
}
