import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { App, Loop } from '../../app.ts'
import { messageOf, OrdersError } from '../../errors.ts'
import { outagesOf } from '../../redis/outages.ts'
import { traceOf } from '../../tracing/tracing.ts'

/** Ends the process if a loop makes no progress for this long, so that the orchestrator restarts it. */
const giveUpMs = 60_000
const maxBackoffMs = 5_000

/**
 * Runs loops until the signal aborts and all have ended. A loop that fails is restarted with backoff. Its failure is
 * logged once until it makes progress again.
 * @throws OrdersError ORD_STUCK when a loop made no progress for a minute, ORD_REDIS_UNREACHABLE when that is because Redis
 * was away, ORD_MANIFEST when Redis has other settings now.
 */
export async function supervise(app: App, loops: readonly Loop[], signal: AbortSignal): Promise<void> {
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  setMaxListeners(0, either) // every loop and connection listens
  const failing: Failing = new Map()
  const stuck = watch(app, loops, failing, either)
  const ended = Promise.all(loops.map((loop) => keepUp(app, loop, failing, either)))
  try {
    await Promise.race([ended, stuck])
    await ended
  } finally {
    stop.abort()
  }
}

/** Loop → why it failed last, until it makes progress again. */
type Failing = Map<string, string>

async function keepUp(
  { telemetry, pulse }: App,
  { name, run }: Loop,
  failing: Failing,
  signal: AbortSignal,
): Promise<void> {
  let failures = 0
  const tick = (): void => {
    pulse.set(name, performance.now())
    if (failures > 0) telemetry.emit('loopRecovered', { loop: name, failures })
    failures = 0
    failing.delete(name)
  }
  pulse.set(name, performance.now())
  while (!signal.aborted) {
    try {
      await run(tick, signal)
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof OrdersError && error.code === 'ORD_MANIFEST') throw error // not transient: do not retry
      if (failures === 0) telemetry.emit('loopFailed', { loop: name, error: messageOf(error), ...traceOf(error) })
      failures++
      failing.set(name, messageOf(error))
      await sleep(Math.min(50 * 2 ** failures, maxBackoffMs), undefined, { signal }).catch(() => {})
    }
  }
}

const checkEveryMs = 1_000
/** A check that is this late shows that the process itself, and so its loops, was suspended or starved. */
const suspendedMs = 5_000

/**
 * Rejects when a loop makes no progress for too long: it keeps failing, or waits for something that never comes. After
 * the process itself was suspended (a closed lid, a paused container), each loop has its whole minute again.
 */
async function watch(
  { telemetry, pulse }: App,
  loops: readonly Loop[],
  failing: Failing,
  signal: AbortSignal,
): Promise<never> {
  for (;;) {
    const from = performance.now()
    await sleep(checkEveryMs, undefined, { signal }).catch(() => new Promise(() => {}))
    const suspendedForMs = performance.now() - from - checkEveryMs
    if (suspendedForMs > suspendedMs) {
      for (const [name, at] of pulse) pulse.set(name, at + suspendedForMs)
    }
    for (const { name } of loops) {
      const silentMs = performance.now() - (pulse.get(name) ?? 0)
      if (silentMs > giveUpMs) throw stuckError(telemetry, name, failing.get(name))
    }
  }
}

/** An outage of half that time or longer is the cause. It may be noticed late: a dead connection is silent at first. */
function stuckError(telemetry: App['telemetry'], loop: string, failure: string | undefined): OrdersError {
  const outage = outagesOf(telemetry).current()
  if (outage && outage.forMs() > giveUpMs / 2) {
    const { address } = outage
    const since = outage.since.toISOString()
    const message = `Redis at ${address} has not answered since ${since}: start it, or check the network to it.`
    return new OrdersError('ORD_REDIS_UNREACHABLE', message, { details: { address, since } })
  }
  const reason = failure === undefined ? 'It waits for something that does not come' : `It failed last with: ${failure}`
  const message = `The loop ${loop} has made no progress for a minute. ${reason}.`.replace(/\.+$/, '.')
  return new OrdersError('ORD_STUCK', message, { details: { loop } })
}
