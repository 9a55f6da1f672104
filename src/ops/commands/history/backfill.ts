import type { App } from '../../../app.ts'
import { audited } from '../../../control/audit-log.ts'
import { OrdersError } from '../../../errors.ts'
import { readChains } from '../../../reads/archive/chains.ts'
import { liveSegments } from '../../../reads/archive/segments.ts'
import { countText } from '../../../reads/count-text.ts'
import { readCounters } from '../../../reads/counters.ts'
import { openStore } from '../../../stages/archive/store/store.ts'
import { calendar } from '../../../stages/calendar.ts'
import { beganBy } from '../../../stages/calendar-books.ts'
import { hadFrom } from '../../../stages/missed-before.ts'
import type { Stage } from '../../../stages/placed.ts'
import { idMs, oldestId } from '../../../stream-id.ts'
import { type Call, defineCommand } from '../../command.ts'
import { operatingUser } from '../../process/operating-user.ts'
import { discardRejected, discardText } from '../../rebuild/discard-rejected.ts'
import { flip } from '../../rebuild/flip/flip.ts'
import { runInCommand, type SharedOptions, sessionOf, sharedOptions } from '../../rebuild/in-command.ts'
import { endRun } from '../../rebuild/progress.ts'
import { compareAll, requireSound, stagesToBuild } from '../../rebuild/rebuild.ts'
import { readLine } from '../../rebuild/rebuild-text.ts'
import { requireStarted } from '../../rebuild/require-started.ts'
import { buildFrom } from '../../rebuild/session.ts'
import { requireConsent } from '../../terminal/interactive/ask.ts'
import { jsonLine } from '../../terminal/printable.ts'

export const command = defineCommand<SharedOptions>({
  name: 'backfill',
  words: '<stage>',
  about:
    'Gives an observer that was added later all orders that passed before, from the archive and while orders come. If it is killed, run it again to continue.',
  examples: ['backfill calendar', 'backfill calendar --yes --json'],
  page: 'docs/how-to/rebuild.md',
  options: {
    ...sharedOptions,
  },
  run: async (call) => {
    const [name, ...more] = call.words
    if (name === undefined || more.length > 0) {
      throw new OrdersError('ORD_USAGE', 'orders backfill: expected one stage: see orders backfill --help.')
    }
    await runInCommand(call, 'backfill', (app) => backfill(app, observerNamed(app, name), call))
  },
})

function observerNamed(app: App, name: string): Stage {
  const [stage] = stagesToBuild(app.pipeline, [name])
  if (stage?.isObserver) return stage
  throw new OrdersError('ORD_USAGE', `${name} is no observer: orders rebuild counts again what the chain has counted.`)
}

async function backfill(app: App, stage: Stage, call: Call<SharedOptions>): Promise<void> {
  const { options, signal, print, stdout } = call
  await requireStarted(app, stage, async () => signal.throwIfAborted())
  const missed = async (): Promise<number> =>
    (await readCounters(app.redis, app.partitions))[stage.counters.missed] ?? 0
  const session = sessionOf(call)
  await using built = await buildFrom(app, { ...session, stages: [stage], untilMs: undefined }, signal)
  const { build } = built
  session.print(readLine(built))
  const comparison = await compareAll(build)
  requireSound(comparison, options['count-rejected'])
  const lacks = comparison.lacks.get(stage.name) ?? 0
  if (lacks > 0 || comparison.before.size > 0) {
    const lacking = `${stage.name} lacks ${countText(lacks)} orders and corrections that the archive has.${discardText(comparison)} Add them?`
    const question = lacks > 0 ? lacking : 'What came before the calendar began is wrong in its books. Correct it?'
    await requireConsent(question, { yes: options.yes, stdout, signal })
    const action = {
      action: 'backfill',
      by: operatingUser(),
      what: JSON.stringify({ stage: stage.name, orders: lacks }),
    }
    await audited(app, action, async () => flip(build, await discardRejected(build, comparison, action.by), undefined))
  }
  await setBegin(app, stage)
  await endRun(app, build.alive)
  const left = await missed()
  print(
    options.json
      ? jsonLine({ stage: stage.name, added: lacks, missed: left })
      : `${countText(lacks)} added; ${stage.name} has missed ${countText(left)} now.`,
  )
}

/** Has the stage begin with the archive, if it began later. An undo then takes these orders, too. */
async function setBegin(app: App, stage: Stage): Promise<void> {
  using store = await openStore(app.config)
  const first = oldestId(liveSegments(await readChains(store, app)).map(({ segment }) => segment.first))
  if (first === undefined) return
  await hadFrom(app, stage, first)
  if (stage.name === calendar.name) await beganBy(app.redis, app.partitions, idMs(first))
}
