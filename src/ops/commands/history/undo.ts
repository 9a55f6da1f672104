import { z } from 'zod'
import { actionAsked } from '../../../api/http/summary.ts'
import type { App } from '../../../app.ts'
import { momentText } from '../../../calendar/moment.ts'
import { audited } from '../../../control/audit-log.ts'
import { openQueues, type Queues } from '../../../control/job-queues.ts'
import { jobsWarning } from '../../../control/jobs-alive.ts'
import { type AskedWindow, addUndo, newUndoId, undoneBefore } from '../../../control/undo/add-undo.ts'
import { windowNow } from '../../../control/undo/read-window.ts'
import type { UndoResult } from '../../../control/undo/undo-job.ts'
import { readUndo, readUndos, type UndoWhere, undoWhere } from '../../../control/undo/undos.ts'
import { OrdersError } from '../../../errors.ts'
import { requireOrdersKept } from '../../../stages/archive/require-archive.ts'
import { actionOf } from '../../action.ts'
import { type Call, defineCommand, flag, type Option } from '../../command.ts'
import { openCommandApp } from '../../open/command-app.ts'
import { followUndo } from '../../process/follow-job.ts'
import { operatingUser } from '../../process/operating-user.ts'
import { requireConsent } from '../../terminal/interactive/ask.ts'
import { progressOn } from '../../terminal/interactive/progress.ts'
import { radiusLines, undoDetails, undoLines, undoneBeforeLines, undoRows } from '../../terminal/jobs/undo-text.ts'
import { jsonLine } from '../../terminal/printable.ts'
import { wrapped } from '../../terminal/wrapped.ts'
import { requireUndo } from '../../undo/require-undo.ts'

const name = 'undo'
const words = '[list | show <name>]'

interface Options {
  readonly from: string | undefined
  readonly to: string | undefined
  readonly where: UndoWhere | undefined
  readonly name: string | undefined
  readonly 'dry-run': boolean
  readonly yes: boolean
  readonly json: boolean
}

export const command = defineCommand<Options>({
  name,
  words,
  about:
    'Takes back all orders that were admitted in a window, as if they had never come, and shows first what changes. orders redo puts them back. If it is killed, run it again to continue.',
  examples: ['undo --from 14:03 --to 14:40 --dry-run', 'undo --from 14:03 --name "bad price" --yes', 'undo list'],
  page: 'docs/how-to/undo.md',
  options: {
    from: time('the first time of admission that counts: RFC 3339, or hh:mm of today in the zone of the reports'),
    to: time('the first time after the window, in the same form (default now)'),
    where: whereOption(),
    name: {
      hint: 'NAME',
      about: 'the name of the undo, for orders redo',
      expected: 'a text of 1 to 100 characters',
      schema: z.string().min(1).max(100).optional(),
    },
    'dry-run': flag('changes nothing, only shows what would change'),
    yes: flag('does not ask before it begins'),
    json: flag('as JSON on one line'),
  },
  run: (call) => {
    if (call.words.length === 0) return undoOrders(call)
    const { action, argument } = actionOf({ name, words }, call.words)
    return show(call, action === 'show' ? argument : undefined)
  },
})

function time(about: string): Option<string | undefined> {
  return { hint: 'TIME', about, expected: 'a time', schema: z.string().min(1).optional() }
}

function whereOption(): Option<UndoWhere | undefined> {
  const fields = Object.keys(undoWhere.shape)
  return {
    hint: 'FIELD=VALUE',
    about: `only orders with these values, with commas in between: ${fields.join(', ')}`,
    expected: `such as ${fields[1]}=shop,${fields[3]}=3, of the fields ${fields.join(', ')}`,
    schema: z
      .string()
      .transform(
        (text): UndoWhere => Object.fromEntries(text.split(',').map((pair) => splitAt(pair, pair.indexOf('=')))),
      )
      .pipe(undoWhere)
      .optional(),
  }
}

const splitAt = (text: string, at: number): [string, string] => [text.slice(0, at), text.slice(at + 1)]

async function show({ config, options, print }: Call<Options>, wanted: string | undefined): Promise<void> {
  await using app = await openCommandApp(config)
  if (wanted === undefined) {
    const undos = await readUndos(app)
    if (options.json) return print(jsonLine({ undos }))
    return print(undos.length === 0 ? 'There is no undo.' : undoRows(undos, app.format))
  }
  const found = await requireUndo(app, wanted)
  print(options.json ? jsonLine(found) : undoDetails(found, app.format))
}

async function undoOrders(call: Call<Options>): Promise<void> {
  const { config, options, signal, print, stdout, fail } = call
  await using app = await openCommandApp(config)
  await requireOrdersKept(app)
  const window = await windowIn(app, options)
  const done = options['dry-run'] ? undefined : await undoneBefore(app, window)
  if (done) {
    const { at, ...numbers } = done
    const result = { ...numbers, redo: false, dry_run: false, radius: null }
    print(options.json ? jsonLine(result) : undoneBeforeLines(result, at, app.format))
    return done.left > 0 ? fail() : undefined
  }
  const { zone } = app.format.calendar.settings
  if (!options.json) print(wrapped(`From ${momentText(window.fromMs, zone)} to ${momentText(window.toMs, zone)}.`))
  await using queues = openQueues(app.redis)
  const preview = await run(call, { app, queues }, { ...window, dryRun: true }, 1)
  if (options['dry-run']) return print(options.json ? jsonLine(preview) : undoLines(preview, app.format))
  if (!options.json && preview.radius) print(radiusLines(preview.radius, app.format))
  if (preview.orders === 0 && !(await readUndo(app, window.name)))
    return print('No order of this window is left to take back.')
  await requireConsent('Take these orders back?', { yes: options.yes, stdout, signal })
  const result = await run(call, { app, queues }, window, preview.orders)
  print(options.json ? jsonLine(result) : undoLines(result, app.format))
  if (result.cancelled || result.left > 0) fail()
}

/** @throws OrdersError ORD_USAGE where an option is missing, or cannot be read */
async function windowIn(app: App, { from, to, where, name: given, 'dry-run': dryRun }: Options): Promise<AskedWindow> {
  const refuse = (problem: string): OrdersError =>
    new OrdersError('ORD_USAGE', `orders undo: ${problem}: see orders undo --help.`)
  if (from === undefined) throw refuse('give the window by --from, and by --to if it has ended')
  if (given === undefined && !dryRun) throw refuse('give a --name, by which orders redo puts the orders back')
  const window = await windowNow(app, { from, to }, given)
  if ('field' in window) throw refuse(`--${window.field} ${window.message}`)
  return { name: given ?? 'dry run', ...window, where, dryRun: false }
}

/** Adds the job, and follows it. A dry run is in no audit log: it changes nothing. */
async function run(
  { signal, stdout, print, options }: Call<Options>,
  { app, queues }: { readonly app: App; readonly queues: Queues },
  asked: AskedWindow,
  total: number,
): Promise<UndoResult> {
  const jobId = newUndoId()
  const by = operatingUser()
  const add = async (): Promise<void> => {
    const failed = await addUndo(app, queues, asked, { by, jobId })
    if (failed) throw new OrdersError('ORD_UNDO', failed.refused)
  }
  const { fromMs, toMs, where } = asked
  const body = { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString(), where }
  const action = actionAsked({ action: 'undo', where: { name: asked.name, job: jobId }, body }, '', app.format)
  await (asked.dryRun ? add() : audited(app, { by, ...action }, add))
  const warning = await jobsWarning(app.redis)
  if (warning !== undefined && !options.json) print(wrapped(warning))
  const silent = { show: () => {}, end: () => {} }
  const progress = options.json || asked.dryRun ? silent : progressOn(stdout, 'judged', total)
  return followUndo(app, queues, jobId, { progress, total, signal })
}
