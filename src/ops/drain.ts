import { setTimeout as sleep } from 'node:timers/promises'
import { failure } from '../api/failure.ts'
import { toldOf, type Waiting, waitingByStage } from '../api/routes/steering.ts'
import type { App } from '../app.ts'
import { pausePart, readSteering } from '../control/pauses.ts'
import { OrdersError } from '../errors.ts'
import { openBacklog, type StageBacklog, totalOf } from '../reads/backlog.ts'
import { missingNote } from '../reads/findings.ts'
import { defineCommand, flag, wholeNumber } from './command.ts'
import { operatingUser } from './commands/inspect/audit.ts'
import { pausedLines, table } from './commands/inspect/status.ts'
import { withRunning } from './local/running-system.ts'
import { openApp } from './open/open-app.ts'
import { reasonOption } from './pause.ts'
import { jsonLine } from './terminal/printable.ts'
import { type Progress, progressOn } from './terminal/progress.ts'

/** Bridges obey within a second, and what they have in hand then is written by now. */
const settleMs = 2_000
const lookEveryMs = 100

export const drainCommand = defineCommand({
  name: 'drain',
  about:
    'Pauses the bridge and waits until no order waits in any stage. The bridge stays paused. Exit code 1 if not drained in time.',
  options: {
    timeout: wholeNumber('seconds to wait at most', 600, { min: 3, max: 86_400 }),
    reason: reasonOption,
    json: flag('as JSON, on one line'),
  },
  run: async ({ config, options: { timeout, reason, json }, signal, print }) => {
    await using app = await openApp({ ...withRunning(config), logLevel: 'silent' }, 'ask')
    const came = await pausePart(app, 'bridge', { by: operatingUser(), reason }, 'drain')
    if (!json) print(toldOf(came))
    const bar = json ? undefined : barOf()
    const { drained, stages } = await drain(app, { timeoutMs: timeout * 1_000, show: bar?.show }, signal).catch(
      toldAway,
    )
    const waiting = waitingByStage(stages)
    bar?.end()
    if (!drained) process.exitCode = 1
    if (json) return print(jsonLine({ drained, waiting, bridge: came.pause }))
    if (drained) print('Drained: no order waits in any stage.')
    else for (const line of await leftLines(app, waiting, timeout)) print(line)
    for (const line of stages.flatMap(missingNote)) print(line)
    print('The bridge stays paused: orders resume bridge lets it run again.')
  },
})

function toldAway(error: unknown): never {
  if (failure(error).status !== 503) throw error
  const told = 'Redis does not answer: see that it runs. The bridge stays paused.'
  throw new OrdersError('ORD_REDIS_UNREACHABLE', told, { cause: error })
}

interface Draining {
  readonly timeoutMs: number
  readonly show: ((left: number) => void) | undefined
}

const measureEveryMs = 1_000

/** Waits until the bridges have obeyed and nothing waits; returns what waits then, or when the time is over. */
export async function drain(
  app: App,
  { timeoutMs, show }: Draining,
  signal: AbortSignal,
): Promise<{ drained: boolean; stages: readonly StageBacklog[] }> {
  const readBacklog = openBacklog(app, { everyMs: measureEveryMs })
  const until = performance.now() + timeoutMs
  for (let known = -1, quietAt = 0; ; ) {
    const { counters, stages } = await readBacklog()
    const now = performance.now()
    const { received = 0 } = counters
    if (received !== known) quietAt = now + settleMs
    known = received
    const quiet = now >= quietAt
    if (quiet) show?.(totalOf(stages))
    const drained = quiet && totalOf(stages) === 0
    if (drained || now >= until) return { drained, stages }
    await sleep(lookEveryMs, undefined, { signal })
  }
}

/** The whole is what waits when it is shown first. */
function barOf(): { show(left: number): void; end(): void } {
  let total = 0
  let bar: Progress | undefined
  return {
    show: (left) => {
      if (left > 0 && !bar) {
        total = left
        bar = progressOn(process.stdout, 'worked off', total)
      }
      bar?.show(Math.max(0, total - left))
    },
    end: () => bar?.end(),
  }
}

export async function leftLines({ redis, control }: App, waiting: Waiting, timeout: number): Promise<string[]> {
  const rows = Object.entries(waiting).map(([stage, orders]) => [stage, orders.toLocaleString('en')])
  const { bridge: _, ...stages } = await readSteering(redis, control)
  const told = `Not drained in ${timeout.toLocaleString('en')} s:`
  return [told, ...table([['stage', 'waiting'], ...rows]), ...pausedLines(stages)]
}
