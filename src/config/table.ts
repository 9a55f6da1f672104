import type { Variable } from './variable.ts'
import { apiVariables } from './variables/api.ts'
import { archiveVariables } from './variables/archive.ts'
import { awsVariables } from './variables/aws.ts'
import { bridgeVariables } from './variables/bridge.ts'
import { calendarVariables } from './variables/calendar.ts'
import { ordersVariables } from './variables/orders.ts'
import { processVariables } from './variables/process.ts'
import { redisVariables } from './variables/redis.ts'
import { stagesVariables } from './variables/stages.ts'
import { variables } from './variables.ts'

/** Variables that most deployments set, and when. */
const commonlySet: readonly (readonly [Variable, when: string])[] = [
  [variables.redisUrl, 'always'],
  [variables.awsRegion, 'always, on AWS'],
  [variables.sqsQueueName, 'if the queue is not `orders`'],
  [variables.adminTokens, 'always: without it no other machine may write, nor see whole orders'],
  [variables.metricsPort, 'for each process without the API: its health and its metrics'],
  [variables.apiHost, '`0.0.0.0` in a container, or if a proxy is on another machine'],
  [variables.apiAllowedHosts, 'if clients use a name, as behind a proxy'],
  [variables.apiPort, 'if 8000 is taken'],
  [variables.drainMs, 'behind a load balancer: longer than it takes to see `/readyz` 503'],
  [variables.sqsDeleteAfter, '`replicas:1` with a replica; `write` where a managed Redis is durable by itself'],
]

/** Every topic and its variables, in the order of the documentation. */
const topics: readonly (readonly [title: string, variables: Readonly<Record<string, Variable>>])[] = [
  ['SQS and AWS', awsVariables],
  ['Redis and partitions', redisVariables],
  ['API, dashboard and health', apiVariables],
  ['Bridge', bridgeVariables],
  ['Orders', ordersVariables],
  ['Calendar', calendarVariables],
  ['Archive', archiveVariables],
  ['Stages, ledger and jobs', stagesVariables],
  ['Start, stop, traces and log', processVariables],
]

const fallbackOf = ({ unset, schema }: Variable): string => unset ?? `\`${schema.parse(undefined)}\``

/** Returns the Markdown table of the variables that most deployments set. */
export function commonTable(): string {
  const rows = commonlySet.map(([one, when]) => `| \`${one.name}\` | ${when} | ${fallbackOf(one)} |`)
  return ['| variable | set it | default |', '|---|---|---|', ...rows].join('\n')
}

/** Returns a Markdown table of the variables of each topic. The allowed values are what a refused value is answered with. */
export function configTables(): string {
  return topics.map(([title, declared]) => `## ${title}\n\n${configTable(Object.values(declared))}`).join('\n\n')
}

function configTable(declared: readonly Variable[]): string {
  const rows = declared.map((one) => {
    const { name, unit, about, expected } = one
    const shown = commonlySet.some(([common]) => common.name === name) ? `**\`${name}\`**` : `\`${name}\``
    return `| ${shown} | ${unit} | ${fallbackOf(one)} | ${expected} | ${about} |`
  })
  return ['| variable | unit | default | allowed | |', '|---|---|---|---|---|', ...rows].join('\n')
}
