import { drainReply, pauseOf } from '../../../api/replies/pause.ts'
import type { App } from '../../../app.ts'
import { pauseComponent, pauseText } from '../../../control/pauses.ts'
import { OrdersError } from '../../../errors.ts'
import { openBacklog, totalOf, waitingByStage } from '../../../reads/backlog.ts'
import { missingNote } from '../../../reads/findings.ts'
import { isAway } from '../../../redis/errors.ts'
import { defineCommand, flag, reasonOption, wholeNumber } from '../../command.ts'
import { openCommandApp } from '../../open/command-app.ts'
import { drain, leftLines } from '../../process/drain.ts'
import { interruptible } from '../../process/interruptible.ts'
import { operatingUser } from '../../process/operating-user.ts'
import { type Progress, progressOn, type Terminal } from '../../terminal/interactive/progress.ts'
import { ordersText } from '../../terminal/numbers.ts'
import { jsonLine } from '../../terminal/printable.ts'

export const command = defineCommand({
  name: 'drain',
  about:
    'Pauses the bridge and waits until no order waits in any stage. The bridge stays paused. Exit code 1 if not drained in time.',
  examples: ['drain --timeout 60', 'drain --reason maintenance --json'],
  page: 'docs/how-to/pause-and-drain.md',
  options: {
    timeout: wholeNumber('maximum seconds to wait', 600, { min: 3, max: 86_400 }),
    reason: reasonOption,
    json: flag('as JSON, on one line'),
  },
  run: async ({ config, options: { timeout, reason, json }, signal, print, stdout, fail }) => {
    await using app = await openCommandApp(config)
    const paused = await pauseComponent(app, 'bridge', { by: operatingUser(), reason }, 'drain')
    if (!json) print(pauseText(paused))
    const bar = json ? undefined : barOn(stdout)
    const draining = drain(app, { timeoutMs: timeout * 1_000, show: bar?.show }, signal).catch(rethrow)
    const { drained, stages } = await interruptible(draining, signal, () => interrupted(app))
    const waiting = waitingByStage(stages)
    bar?.end()
    if (!drained) fail()
    if (json) return print(jsonLine({ drained, ...drainReply.parse({ ...pauseOf(paused), waiting }) }))
    if (drained) print('Drained: no order waits in any stage.')
    else for (const line of await leftLines(app, waiting, timeout)) print(line)
    for (const line of stages.flatMap(missingNote)) print(line)
    print('The bridge stays paused: run orders resume bridge to start it again.')
  },
})

async function interrupted(app: App): Promise<string> {
  const waiting = await openBacklog(app)().then(
    ({ stages }) => totalOf(stages),
    () => null, // Redis is away
  )
  const left = `${ordersText(waiting, 'an unknown number of')} ${waiting === 1 ? 'waits' : 'wait'}`
  return `Interrupted. The bridge stays paused; ${left}: run orders resume bridge to start it again.`
}

function rethrow(error: unknown): never {
  if (!isAway(error)) throw error
  const message = 'Redis does not answer: make sure that it runs. The bridge stays paused.'
  throw new OrdersError('ORD_REDIS_UNREACHABLE', message, { cause: error })
}

/** Returns a progress bar whose total is the number of orders that wait at its first call. */
function barOn(stdout: Terminal): { show(left: number): void; end(): void } {
  let total = 0
  let bar: Progress | undefined
  return {
    show: (left) => {
      if (left > 0 && !bar) {
        total = left
        bar = progressOn(stdout, 'processed', total)
      }
      bar?.show(Math.max(0, total - left))
    },
    end: () => bar?.end(),
  }
}
