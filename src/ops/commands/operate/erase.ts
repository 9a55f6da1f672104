import { erasureOf, erasureReply } from '../../../api/replies/erasure.ts'
import type { App } from '../../../app.ts'
import { openQueues } from '../../../control/job-queues.ts'
import { OrdersError } from '../../../errors.ts'
import { openDurable } from '../../../ingest/proof/durable.ts'
import { countText } from '../../../reads/count-text.ts'
import { archive as archiveStage } from '../../../stages/archive/archive.ts'
import { erase, type Preview, previewErasure } from '../../../stages/erasure/erase.ts'
import type { PlaceName } from '../../../stages/erasure/places.ts'
import type { Receipt } from '../../../stages/erasure/receipt.ts'
import { unknownUser } from '../../../stages/erasure/require-known.ts'
import { defineCommand, flag, wholeNumber } from '../../command.ts'
import { archivePlace } from '../../erase/archive.ts'
import { openCommandApp } from '../../open/command-app.ts'
import { operatingUser } from '../../process/operating-user.ts'
import { requireConsent } from '../../terminal/interactive/ask.ts'
import { amountText, countOf, ordersText } from '../../terminal/numbers.ts'
import { jsonLine, printableId } from '../../terminal/printable.ts'
import { table } from '../../terminal/table.ts'
import { wrapped } from '../../terminal/wrapped.ts'

export const command = defineCommand({
  name: 'erase',
  words: '<user_id>',
  about:
    'Erases a user: removes all that names them, and moves their totals to an anonymous account. There is no way back. Exit code 1 if something is left: run it again then.',
  examples: ['erase user_7 --dry-run', 'erase user_7 --yes --json'],
  page: 'docs/how-to/erase.md',
  options: {
    'dry-run': flag('changes nothing, only shows what would be erased'),
    yes: flag('erases without asking'),
    'without-archive': flag('the archive that was kept is gone: does not search it, and the receipt says so'),
    unknown: flag('erases also a user whom nothing names: all future messages of the id are refused'),
    timeout: wholeNumber('maximum seconds to wait for the stages and for jobs', 60, { min: 1, max: 3_600 }),
    json: flag('as JSON on one line: the receipt'),
  },
  run: async ({ config, options, words: [userId, ...more], signal, print, stdout, fail }) => {
    if (userId === undefined || userId === '' || more.length > 0) {
      throw new OrdersError('ORD_USAGE', 'orders erase: expected one user_id: see orders erase --help.')
    }
    await using app = await openCommandApp(config)
    await using queues = openQueues(app.redis)
    const archive = options['without-archive'] ? 'gone' : app.pipeline.stage(archiveStage.name) && archivePlace
    const preview = await previewErasure({ app, queues, archive, userId })
    const isRefused = preview.unknown && !options.unknown
    if (options['dry-run']) {
      print(options.json ? jsonLine(preview) : previewLines(app, userId, preview))
      return isRefused ? fail() : undefined
    }
    if (isRefused) throw unknownUser(userId)
    if (!options.json) for (const line of previewLines(app, userId, preview)) print(line)
    await requireConsent('This cannot be taken back. Erase the user?', { yes: options.yes, stdout, signal })
    const eraser = { by: operatingUser(), timeoutMs: options.timeout * 1_000, takesUnknown: options.unknown }
    const receipt = await erase({ app, queues, archive, openDurable }, userId, eraser, signal)
    print(
      options.json ? jsonLine(erasureReply.parse(erasureOf(receipt, app.format.money))) : receiptLines(app, receipt),
    )
    if (!receipt.complete) fail()
  },
})

/** Names the things that are counted in each place. */
const things: Readonly<Record<PlaceName, string>> = {
  invalid: 'rejected orders',
  discarded: 'discarded orders',
  jobs: 'jobs, and events of their queues',
  outcomes: 'orders that a job has withdrawn',
  stages: 'entries that a stage has still to process',
  archive: 'segments of the archive',
  audit: 'entries of the audit log',
}

const rowsOf = (counts: Readonly<Record<string, number>>, count: string): string[] =>
  table([['', count], ...Object.entries(counts).map(([place, of]) => [things[place as PlaceName], countText(of)])])

function previewLines({ format, pipeline }: App, userId: string, preview: Preview): string[] {
  const { orders, minor, months, records, erased_at: erasedAt, unknown } = preview
  const mayGrow = pipeline.stage(archiveStage.name) && records.stages > 0
  return [
    ...wrapped(`user     ${printableId(userId)}`),
    ...(erasedAt === undefined ? [] : wrapped(`erased   at ${erasedAt} already: this would finish it`)),
    `totals   ${ordersText(orders, '?')}, ${amountText(minor, format.money)}, in ${countOf(months, 'month')}`,
    ...rowsOf(records, 'found'),
    ...(mayGrow ? wrapped('The orders of these entries come into segments of the archive first.') : []),
    ...(unknown ? wrapped('Nothing names this user: check the id. Without --unknown it is not erased.') : []),
  ]
}

function receiptLines({ format }: App, { moved, removed, complete, waiting, ...receipt }: Receipt): string[] {
  const left = `${countText(waiting)} records wait for the stages or for a job that runs: run this again then.`
  return [
    `erasure  ${receipt.erasure}`,
    `user     SHA-256 ${receipt.user}`,
    `moved    ${ordersText(moved.orders, '?')}, ${amountText(moved.minor, format.money)}, to ${moved.account}`,
    ...rowsOf(removed, 'removed'),
    ...wrapped(complete ? 'Erased: nothing names the user any more.' : left),
    ...(receipt.without_archive ? ['The archive was not searched: it is gone.'] : []),
  ]
}
