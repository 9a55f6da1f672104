import { setTimeout as sleep } from 'node:timers/promises'
import type { Act } from './causes/acts.ts'
import type { Cause } from './causes/cause.ts'
import type { Prometheus } from './prometheus.ts'
import { system, type World } from './world.ts'

/** How long an alert took to fire after its cause, and to end after it was over; undefined if it did not within the limit. */
export interface Observed {
  readonly rule: string
  readonly cause: string
  readonly firedS: number | undefined
  readonly resolvedS: number | undefined
}

/** Longer than the slowest reading (once a minute) and the longest wait together. */
const limitMs = 150_000
const lookEveryMs = 250
const quietMs = 5_000

/** Follows the alerts that fire. */
export interface Watch extends AsyncDisposable {
  /** Resolves when none has fired for some seconds. */
  quiet(): Promise<void>
  /** Resolves with the seconds that passed until the alert fires, or does not; undefined after the limit. */
  until(rule: string, fires: boolean): Promise<number | undefined>
}

export function watchAlerts(prometheus: Prometheus): Watch {
  let firing: ReadonlySet<string> = new Set()
  const ending = new AbortController()
  const following = (async () => {
    while (!ending.signal.aborted) {
      firing = await prometheus.firing(system)
      await sleep(lookEveryMs)
    }
  })()
  return {
    quiet: async () => {
      for (let at = performance.now(); performance.now() - at < quietMs; await sleep(lookEveryMs)) {
        if (firing.size > 0) at = performance.now()
      }
    },
    until: async (rule, fires) => {
      const start = performance.now()
      while (firing.has(rule) !== fires) {
        if (performance.now() - start > limitMs) return undefined
        await sleep(lookEveryMs)
      }
      return (performance.now() - start) / 1_000
    },
    [Symbol.asyncDispose]: async () => {
      ending.abort()
      await following
    },
  }
}

/** Brings the causes of an act about, waits for their alerts, ends the causes, and waits until the alerts are over. */
export async function observe(world: World, watch: Watch, act: Act): Promise<Observed[]> {
  const rules = act.flatMap(({ title, fires }) => fires.map((rule) => ({ rule, cause: title })))
  await Promise.all(rules.map(({ rule }) => watch.until(rule, false)))
  const fired = new Map<string, number | undefined>()
  const begin = async ({ begin, fires }: Cause): Promise<() => Promise<void>> => {
    const firing = fires.map(async (rule) => void fired.set(rule, await watch.until(rule, true)))
    const end = await begin(world)
    await Promise.all(firing)
    return end
  }
  const ends = await Promise.all(act.map(begin))
  const ended = await Promise.all(
    ends.map(async (end, at) => {
      const over = (act[at]?.fires ?? []).map(async (rule) => [rule, await watch.until(rule, false)] as const)
      await end()
      return Promise.all(over)
    }),
  )
  const resolved = new Map(ended.flat())
  return rules.map((row) => ({ ...row, firedS: fired.get(row.rule), resolvedS: resolved.get(row.rule) }))
}
