import { actionAsked } from '../../../api/http/summary.ts'
import { audited } from '../../../control/audit-log.ts'
import { openQueues } from '../../../control/job-queues.ts'
import { jobsWarning } from '../../../control/jobs-alive.ts'
import { addRedo, newUndoId } from '../../../control/undo/add-undo.ts'
import { OrdersError } from '../../../errors.ts'
import { requireOrdersKept } from '../../../stages/archive/require-archive.ts'
import { defineCommand, flag } from '../../command.ts'
import { openCommandApp } from '../../open/command-app.ts'
import { followUndo } from '../../process/follow-job.ts'
import { operatingUser } from '../../process/operating-user.ts'
import { requireConsent } from '../../terminal/interactive/ask.ts'
import { progressOn } from '../../terminal/interactive/progress.ts'
import { undoDetails, undoLines } from '../../terminal/jobs/undo-text.ts'
import { jsonLine } from '../../terminal/printable.ts'
import { wrapped } from '../../terminal/wrapped.ts'
import { requireUndo } from '../../undo/require-undo.ts'

export const command = defineCommand({
  name: 'redo',
  words: '<name>',
  about: 'Puts back the orders that an undo took back. If it is killed, run it again to continue.',
  examples: ['redo "double charge"', 'redo "double charge" --yes --json'],
  page: 'docs/how-to/undo.md',
  options: {
    yes: flag('does not ask before it begins'),
    json: flag('as JSON on one line'),
  },
  run: async ({ config, options: { yes, json }, words: [name, ...more], signal, print, stdout, fail }) => {
    if (name === undefined || more.length > 0) {
      throw new OrdersError('ORD_USAGE', 'orders redo: expected the name of one undo: see orders undo list.')
    }
    await using app = await openCommandApp(config)
    await using queues = openQueues(app.redis)
    const known = await requireUndo(app, name)
    await requireOrdersKept(app)
    if (!json) print(undoDetails(known, app.format))
    await requireConsent('Put these orders back?', { yes, stdout, signal })
    const jobId = newUndoId()
    const by = operatingUser()
    const action = actionAsked({ action: 'redo', where: { name, job: jobId }, body: {} }, '', app.format)
    await audited(app, { by, ...action }, async () => {
      const failed = await addRedo(app, queues, name, { by, jobId })
      const see = failed && 'isUnknown' in failed ? ' See orders undo list.' : ''
      if (failed) throw new OrdersError('ORD_UNDO', failed.refused + see)
    })
    const warning = await jobsWarning(app.redis)
    if (warning !== undefined && !json) print(wrapped(warning))
    const total = known.undone?.orders ?? known.radius?.orders ?? 0
    const progress = json ? { show: () => {}, end: () => {} } : progressOn(stdout, 'judged', total)
    const result = await followUndo(app, queues, jobId, { progress, total, signal })
    print(json ? jsonLine(result) : undoLines(result, app.format))
    if (result.cancelled || result.left > 0) fail()
  },
})
