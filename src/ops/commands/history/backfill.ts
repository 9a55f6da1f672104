import { z } from 'zod'
import type { App } from '../../../app.ts'
import { audited } from '../../../control/audit-log.ts'
import { OrdersError } from '../../../errors.ts'
import { readChains } from '../../../reads/archive/chains.ts'
import { liveSegments } from '../../../reads/archive/segments.ts'
import { countText } from '../../../reads/count-text.ts'
import { readCounters } from '../../../reads/counters.ts'
import { closeOnStop } from '../../../redis/client.ts'
import { isAway, isMissingStream } from '../../../redis/errors.ts'
import { openStore } from '../../../stages/archive/store/store.ts'
import { calendar } from '../../../stages/calendar.ts'
import { beganBy } from '../../../stages/calendar-books.ts'
import { hadFrom } from '../../../stages/missed-before.ts'
import type { Stage } from '../../../stages/placed.ts'
import { groupNamed } from '../../../stages/runner/groups.ts'
import { idMs, oldestId } from '../../../stream-id.ts'
import { type Call, defineCommand, flag } from '../../command.ts'
import { requireAdopted } from '../../manifest/adoption.ts'
import { connectCommandApp } from '../../open/command-app.ts'
import { interruptible } from '../../process/interruptible.ts'
import { operatingUser } from '../../process/operating-user.ts'
import { flip } from '../../rebuild/flip/flip-all.ts'
import { endRun } from '../../rebuild/progress.ts'
import { compareAll, requireWhole, stagesToBuild } from '../../rebuild/rebuild.ts'
import { readLine } from '../../rebuild/rebuild-text.ts'
import { buildFrom, stopGraceMs } from '../../rebuild/session.ts'
import { requireConsent } from '../../terminal/interactive/ask.ts'
import { jsonLine } from '../../terminal/printable.ts'

interface Options {
  readonly from: string | undefined
  readonly yes: boolean
  readonly json: boolean
}

export const command = defineCommand<Options>({
  name: 'backfill',
  words: '<stage>',
  about:
    'Gives an observer that was added later all orders that passed before, from the archive and while orders come. If it is killed, run it again to continue.',
  examples: ['backfill calendar', 'backfill calendar --yes --json'],
  page: 'docs/how-to/rebuild.md',
  options: {
    from: {
      hint: 'URL',
      about: 'one more archive, such as that of a system whose Redis was lost; read only',
      expected: 's3://bucket/prefix or file:///folder',
      schema: z.string().min(1).optional(),
    },
    yes: flag('does not ask'),
    json: flag('as JSON on one line'),
  },
  run: async (call) => {
    const { config, words, signal } = call
    const [name, ...more] = words
    if (name === undefined || more.length > 0) {
      throw new OrdersError('ORD_USAGE', 'orders backfill: expected one stage: see orders backfill --help.')
    }
    await using app = await connectCommandApp(config, 'work')
    using _ = closeOnStop(app.redis, stopGraceMs, signal)
    await requireAdopted(app.redis, app.config)
    const work = backfill(app, observerNamed(app, name), call).catch((error: unknown) => {
      if (!isAway(error)) throw error
      const message = 'Redis does not answer: nothing is lost, so run this again once it answers.'
      throw new OrdersError('ORD_REDIS_UNREACHABLE', message, { cause: error })
    })
    await interruptible(work, signal, () => 'Interrupted. Nothing is lost: run orders backfill again to continue.')
  },
})

function observerNamed(app: App, name: string): Stage {
  const [stage] = stagesToBuild(app.pipeline, [name])
  if (stage?.isObserver) return stage
  throw new OrdersError('ORD_USAGE', `${name} is no observer: orders rebuild counts again what the chain has counted.`)
}

/** @throws OrdersError ORD_USAGE if no process has run the stage: it has no place in the stream yet from which it counts */
async function requireStarted({ redis, partitions }: App, { name, from }: Stage): Promise<void> {
  for (const keys of partitions) {
    const groups = await redis.xinfo('GROUPS', keys.stream(from)).catch((error: unknown) => {
      if (isMissingStream(error)) return []
      throw error
    })
    if (groupNamed(groups, name)) continue
    throw new OrdersError(
      'ORD_USAGE',
      `No process has run ${name} yet: start one, by orders run ${name}, and try again.`,
    )
  }
}

async function backfill(app: App, stage: Stage, { options, signal, print, stdout }: Call<Options>): Promise<void> {
  const say = options.json ? () => {} : print
  await requireStarted(app, stage)
  const missed = async (): Promise<number> =>
    (await readCounters(app.redis, app.partitions))[stage.counters.missed] ?? 0
  const session = { stages: [stage], from: options.from, untilMs: undefined, print: say, read: () => {} }
  await using built = await buildFrom(app, session, signal)
  const { build } = built
  say(readLine(built))
  const comparison = await compareAll(build)
  requireWhole(comparison)
  const lacks = comparison.lacks.get(stage.name) ?? 0
  if (lacks > 0) {
    const question = `${stage.name} lacks ${countText(lacks)} orders and corrections that the archive has. Add them?`
    await requireConsent(question, { yes: options.yes, stdout, signal })
    const action = {
      action: 'backfill',
      by: operatingUser(),
      what: JSON.stringify({ stage: stage.name, orders: lacks }),
    }
    await audited(app, action, () => flip(build, comparison, undefined))
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
