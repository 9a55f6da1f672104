import { z } from 'zod'
import type { App } from '../../../app.ts'
import { audited } from '../../../control/audit-log.ts'
import { holdLock } from '../../../control/lock.ts'
import { OrdersError } from '../../../errors.ts'
import { aggregate } from '../../../stages/aggregate.ts'
import { calendar } from '../../../stages/calendar.ts'
import { leaderboard } from '../../../stages/leaderboard.ts'
import { type Call, defineCommand, flag, type Option } from '../../command.ts'
import { operatingUser } from '../../process/operating-user.ts'
import { discardRejected, discardText } from '../../rebuild/discard-rejected.ts'
import { type Comparison, type Flipped, flip } from '../../rebuild/flip/flip.ts'
import { requireKept, revertFlip } from '../../rebuild/flip/revert.ts'
import { runInCommand, type SharedOptions, sessionOf, sharedOptions } from '../../rebuild/in-command.ts'
import { endRun } from '../../rebuild/progress.ts'
import { compareAll, requireSound, stagesToBuild } from '../../rebuild/rebuild.ts'
import { comparisonLines, flippedLines, readLine } from '../../rebuild/rebuild-text.ts'
import { comparisonOf, comparisonReply, flippedOf } from '../../rebuild/reply.ts'
import { type Built, buildFrom } from '../../rebuild/session.ts'
import { builtTotals } from '../../rebuild/totals.ts'
import { requireConsent } from '../../terminal/interactive/ask.ts'
import { amountText, countOf, ordersText } from '../../terminal/numbers.ts'
import { jsonLine } from '../../terminal/printable.ts'

interface Options extends SharedOptions {
  readonly stages: readonly string[] | undefined
  readonly until: number | undefined
  readonly flip: boolean
  readonly keep: string | undefined
  readonly undo: string | undefined
  readonly drop: boolean
}

const keptName: Omit<Option<string | undefined>, 'about'> = {
  hint: 'NAME',
  expected: 'a name of 1 to 60 letters, digits, _, . and -',
  schema: z
    .string()
    .regex(/^[\w.-]{1,60}$/)
    .optional(),
}

export const command = defineCommand<Options>({
  name: 'rebuild',
  about:
    'Counts again what the archive has, next to the live numbers and while orders come, and compares. --flip corrects what differs. Exit code 1 if something differs. If it is killed, run it again to continue.',
  examples: ['rebuild', 'rebuild --flip --keep before', 'rebuild --undo before'],
  page: 'docs/how-to/rebuild.md',
  options: {
    stages: {
      hint: 'LIST',
      about: 'the stages whose numbers are built (default aggregate,leaderboard,calendar)',
      expected: 'names of stages, as in aggregate,calendar',
      schema: z
        .string()
        .regex(/^[\w,-]+$/)
        .transform((list) => list.split(','))
        .optional(),
    },
    until: {
      hint: 'TIME',
      about: 'shows the totals of what had been admitted until then; compares and corrects nothing',
      expected: 'a time such as 2026-11-30T14:00:00Z',
      schema: z.iso
        .datetime({ offset: true })
        .transform((time) => Date.parse(time))
        .optional(),
    },
    flip: flag('corrects the live numbers by what they lack'),
    keep: { ...keptName, about: 'with --flip: keeps what it adds for a day under this name, to undo it' },
    undo: { ...keptName, about: 'takes back the flip of this name; orders counted since stay counted' },
    drop: flag('deletes what an earlier rebuild has built'),
    ...sharedOptions,
  },
  run: async (call) => {
    requireSense(call.options)
    await runInCommand(call, 'rebuild', (app) => run(app, call))
  },
})

function requireSense({ flip, keep, undo, drop, until }: Options): void {
  const refuse = (problem: string): OrdersError =>
    new OrdersError('ORD_USAGE', `orders rebuild: ${problem}: see orders rebuild --help.`)
  if (keep !== undefined && !flip) throw refuse('--keep goes with --flip')
  if ([flip, undo !== undefined, drop, until !== undefined].filter(Boolean).length > 1)
    throw refuse('--flip, --undo, --drop and --until exclude each other')
}

async function run(app: App, call: Call<Options>): Promise<void> {
  const { options, signal, print } = call
  const { undo, drop, until } = options
  if (undo !== undefined) return await undoNamed(app, undo, call)
  if (drop) {
    await using lock = await holdLock(app.redis, print, signal, 'orders rebuild, erase or repartition')
    await endRun(app, lock.require)
    return print('Deleted: the next rebuild begins again.')
  }
  const usual = [aggregate.name, leaderboard.name, calendar.name].filter((name) => app.pipeline.stage(name))
  const stages = stagesToBuild(app.pipeline, options.stages ?? usual)
  const session = sessionOf(call)
  await using built = await buildFrom(app, { ...session, stages, untilMs: until }, signal)
  session.print(readLine(built))
  if (until !== undefined) return await showTotals(app, built, call)
  await compareAndFlip(app, built, call)
}

async function showTotals(app: App, { build }: Built, { options, print }: Call<Options>): Promise<void> {
  const { users, orders, minor } = await builtTotals(build)
  const at = new Date(build.untilMs).toISOString()
  const reply = {
    until: at,
    users,
    total_orders: Number(orders),
    total_revenue: app.format.money.toAmount(Number(minor)),
  }
  print(
    options.json
      ? jsonLine(reply)
      : `Until ${at}: ${countOf(users, 'user')}, ${ordersText(orders, '?')}, ${amountText(Number(minor), app.format.money)}.`,
  )
  await endRun(app, build.alive)
}

async function compareAndFlip(app: App, built: Built, call: Call<Options>): Promise<void> {
  const { options, signal, print, stdout, fail } = call
  const { build, records } = built
  const comparison = await compareAll(build)
  const found = comparisonOf(comparison, records, app.format.money)
  const reply = (flipped?: Flipped): void =>
    print(jsonLine(comparisonReply.parse({ ...found, ...(flipped && { flipped: flippedOf(flipped, options.keep) }) })))
  if (!options.json) print(comparisonLines(built, comparison))
  if (!options.flip || found.equal) {
    if (options.json) reply()
    if (found.equal) return await endRun(app, build.alive)
    const { rejected, gaps, lacks } = comparison
    const isSound = rejected.size + gaps.size === 0 && [...lacks.values()].every((records) => records >= 0)
    const flips = isSound ? `orders rebuild${sameOptions(options)} --flip corrects it; ` : ''
    if (!options.json) print(`${flips}orders rebuild --drop deletes what was built.`)
    return fail()
  }
  requireSound(comparison, options['count-rejected'])
  await requireConsent(`This changes the live numbers.${discardText(comparison)} Flip?`, {
    yes: options.yes,
    stdout,
    signal,
  })
  const flipped = await flipAudited(app, build, comparison, options.keep)
  await endRun(app, build.alive)
  if (options.json) reply(flipped)
  else print(flippedLines(flipped, options.keep))
}

/** Repeats what decides which numbers are built: with others, a flip would build them first. */
function sameOptions({ stages, from }: Options): string {
  return (stages ? ` --stages ${stages.join()}` : '') + (from === undefined ? '' : ` --from ${from}`)
}

function flipAudited(app: App, build: Built['build'], comparison: Comparison, keep?: string): Promise<Flipped> {
  const stages = build.stages.map(({ name }) => name)
  const { size } = comparison.rejected
  const rejected = size > 0 ? Object.fromEntries(comparison.rejected) : undefined
  const what = (keys?: number): string => JSON.stringify({ stages, archive: build.archive.name, keep, rejected, keys })
  const action = { action: 'rebuild', by: operatingUser(), what: what() }
  return audited(
    app,
    action,
    async () => flip(build, await discardRejected(build, comparison, action.by), keep),
    ({ keys }) => what(keys),
  )
}

async function undoNamed(app: App, name: string, { options, signal, print, stdout }: Call<Options>): Promise<void> {
  await requireKept(app, name)
  const question = `This takes back what the flip ${name} has added to the live numbers. Undo it?`
  await requireConsent(question, { yes: options.yes, stdout, signal })
  await using lock = await holdLock(app.redis, print, signal, 'orders rebuild, erase or repartition')
  const action = { action: 'rebuild', by: operatingUser(), what: JSON.stringify({ undo: name }) }
  const keys = await audited(app, action, () => revertFlip(app, name, lock.require))
  print(
    options.json
      ? jsonLine({ undone: name, keys })
      : `Undone: ${countOf(keys, 'key')} ${keys === 1 ? 'is' : 'are'} as before the flip.`,
  )
}
