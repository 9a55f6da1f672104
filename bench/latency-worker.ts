/* Runs the three stages, and reports when each commit of validate and leaderboard was answered. */
import { readConfig } from '../src/config/config.ts'
import { openApp } from '../src/ops/open/open-app.ts'
import { runRoles } from '../src/ops/process/roles.ts'
import type { RankShape } from '../src/stages/runner/effects.ts'
import { serve } from './worker.ts'

/** The time (µs of the machine's monotonic clock) at which the user's order number `count` was ranked. */
export type Ranked = readonly [user: string, count: number, atUs: number]
/** The time at which validate had committed an entry of `orders:raw`. */
export type Validated = readonly [entryId: string, atUs: number]
export interface LatencyReport {
  readonly ranked: readonly Ranked[]
  readonly validated: readonly Validated[]
}
export type LatencyTask =
  | { readonly do: 'start'; readonly url: string; readonly metricsPort: number | undefined }
  | { readonly do: 'report' }

const nowUs = (): number => Number(process.hrtime.bigint() / 1_000n)

interface Plan {
  readonly ids: readonly string[]
  /** As in stages/runner/effects.ts. */
  readonly ranks: readonly RankShape[]
}
const commits: { readonly group: unknown; readonly plan: string; readonly atUs: number }[] = []

async function start(url: string, metricsPort: number | undefined): Promise<void> {
  const metrics = metricsPort === undefined ? {} : { METRICS_PORT: String(metricsPort) }
  const app = await openApp(readConfig({ REDIS_URL: url, LOG_LEVEL: 'silent', ...metrics }))
  const evalsha = app.redis.evalsha.bind(app.redis) as (...args: unknown[]) => Promise<unknown>
  const watched = async (sha: string, keyCount: number, ...rest: readonly unknown[]): Promise<unknown> => {
    const reply = await evalsha(sha, keyCount, ...rest)
    const [group, , plan] = rest.slice(keyCount, keyCount + 3)
    const [status] = Array.isArray(reply) ? reply : []
    const isEnd = group === 'validate' || group === 'leaderboard'
    if (isEnd && status === 'committed') commits.push({ group, plan: String(plan), atUs: nowUs() })
    return reply
  }
  Object.assign(app.redis, { evalsha: watched })
  const up = Promise.withResolvers<void>()
  app.telemetry.listen((event) => event === 'started' && up.resolve())
  runRoles(app, ['validate', 'aggregate', 'leaderboard'], new AbortController().signal).catch(up.reject)
  await up.promise
}

function report(): LatencyReport {
  const of = (name: string) =>
    commits.flatMap(({ group, plan, atUs }) => (group === name ? [{ plan: JSON.parse(plan) as Plan, atUs }] : []))
  const counts = new Map<string, number>()
  const ranked = of('leaderboard').flatMap(({ plan, atUs }) =>
    usersIn(plan).map((user): Ranked => {
      const count = (counts.get(user) ?? 0) + 1
      counts.set(user, count)
      return [user, count, atUs]
    }),
  )
  const validated = of('validate').flatMap(({ plan, atUs }) => plan.ids.map((id): Validated => [id, atUs]))
  return { ranked, validated }
}

/** Returns the users whom a commit ranks. No two orders of one user are in flight at once, so each has one order in it. */
function usersIn({ ranks }: Plan): string[] {
  const [, hashes, members] = ranks[0] ?? [[], 0, []]
  return members.filter((_, at) => at % (1 + hashes) === 0).map(String)
}

serve(async (task: LatencyTask): Promise<LatencyReport> => {
  if (task.do === 'report') return report()
  await start(task.url, task.metricsPort)
  return { ranked: [], validated: [] }
})
