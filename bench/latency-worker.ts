/* Runs the three stages, and reports when each commit of leaderboard was answered. */
import { readConfig } from '../src/config/config.ts'
import { openApp } from '../src/ops/open/open-app.ts'
import { runRoles } from '../src/ops/process/roles.ts'
import { serve } from './worker.ts'

/** The time (µs of the machine's monotonic clock) at which the user's first `count` orders were ranked. */
export type Ranked = readonly [user: string, count: number, atUs: number]
export type LatencyTask = { readonly do: 'start'; readonly url: string } | { readonly do: 'report' }

const nowUs = (): number => Number(process.hrtime.bigint() / 1_000n)

interface Plan {
  readonly boards: readonly (readonly (string | number)[])[]
}
const commits: { readonly plan: string; readonly atUs: number }[] = []

async function start(url: string): Promise<void> {
  const app = await openApp(readConfig({ REDIS_URL: url, LOG_LEVEL: 'silent' }))
  const evalsha = app.redis.evalsha.bind(app.redis) as (...args: unknown[]) => Promise<unknown>
  const watched = async (sha: string, keyCount: number, ...rest: readonly unknown[]): Promise<unknown> => {
    const reply = await evalsha(sha, keyCount, ...rest)
    const [group, , plan] = rest.slice(keyCount, keyCount + 3)
    const [status] = Array.isArray(reply) ? reply : []
    if (group === 'leaderboard' && status === 'committed') commits.push({ plan: String(plan), atUs: nowUs() })
    return reply
  }
  Object.assign(app.redis, { evalsha: watched })
  const up = Promise.withResolvers<void>()
  app.telemetry.listen((event) => event === 'started' && up.resolve())
  runRoles(app, ['validate', 'aggregate', 'leaderboard'], new AbortController().signal).catch(up.reject)
  await up.promise
}

/** Reads the second board, that of orders: key number, then score and member, alternating. */
function report(): Ranked[] {
  return commits.flatMap(({ plan, atUs }) => {
    const [, , ...pairs] = ['', ...((JSON.parse(plan) as Plan).boards[1] ?? [])]
    return pairs.flatMap((score, at): Ranked[] => (at % 2 === 0 ? [[String(pairs[at + 1]), Number(score), atUs]] : []))
  })
}

serve(async (task: LatencyTask): Promise<readonly Ranked[]> => {
  if (task.do === 'report') return report()
  await start(task.url)
  return []
})
