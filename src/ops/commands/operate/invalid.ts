import { z } from 'zod'
import { type Asked, actionAsked, withJob } from '../../../api/http/summary.ts'
import type { App } from '../../../app.ts'
import { beginAction } from '../../../control/audit-log.ts'
import { openQueues } from '../../../control/job-queues.ts'
import { jobsWarning } from '../../../control/jobs-alive.ts'
import { messageOf, OrdersError } from '../../../errors.ts'
import { isObject, parseStandardJson } from '../../../identity.ts'
import { rejectCodes } from '../../../reject-codes.ts'
import { withHint } from '../../../stages/hints/entry.ts'
import {
  addReplay,
  discardInvalid,
  entryIdPattern,
  planReplay,
  queueCorrection,
  type Refused,
  readCorrectable,
  refusedBy,
} from '../../../stages/invalid/actions.ts'
import { readInvalidEntry } from '../../../stages/invalid/entry.ts'
import { actionOf } from '../../action.ts'
import { defineCommand, flag, reasonOption, wholeNumber } from '../../command.ts'
import { openCommandApp } from '../../open/command-app.ts'
import { operatingUser } from '../../process/operating-user.ts'
import { editText } from '../../terminal/interactive/editor.ts'
import { invalidLines, invalidRows, newestInvalid } from '../../terminal/invalid-text.ts'
import { escapeJson, jsonLine } from '../../terminal/printable.ts'
import { wrapped } from '../../terminal/wrapped.ts'

const name = 'invalid'
const words = '[list | show <id> | edit <id> | retry <id> | discard <id>]'

interface Options {
  readonly code: (typeof rejectCodes)[number] | undefined
  readonly user: string | undefined
  readonly limit: number
  readonly reason: string | undefined
  readonly json: boolean
}

export const command = defineCommand<Options>({
  name,
  words,
  about:
    'Lists invalid orders, newest first, or shows, corrects, retries or discards one. edit opens it in $VISUAL or $EDITOR and sends what you saved in its place; retry sends it as it is.',
  examples: ['invalid --code bad-value', 'invalid show 1764000000000-0'],
  page: 'docs/how-to/replay-and-correct.md',
  options: {
    code: {
      hint: 'CODE',
      about: `only of this code: ${rejectCodes.join(', ')}`,
      expected: `one of ${rejectCodes.join(', ')}`,
      schema: z.enum(rejectCodes).optional(),
    },
    user: { hint: 'USER_ID', about: 'only of this user', expected: 'a user_id', schema: z.string().min(1).optional() },
    limit: wholeNumber('maximum number of orders', 20, { min: 1, max: 10_000 }),
    reason: { ...reasonOption, about: 'of discard: the reason, which is kept with the order' },
    json: flag('as JSON, one object a line'),
  },
  run: async ({ config, options, words: given, signal, print }) => {
    const { action, argument: id } = actionOf({ name, words }, given)
    if (action !== 'list' && !entryIdPattern.test(id)) {
      throw new OrdersError('ORD_USAGE', `orders invalid: the id is "${id}", expected one such as 1764000000000-0.`)
    }
    await using app = await openCommandApp(config)
    if (action === 'list') return print(await list(app, options, signal))
    if (action === 'show') return print(await show(app, id, options.json))
    if (action === 'discard') return print(await discard(app, id, options))
    print(action === 'edit' ? await edit(app, id, signal, options.json) : await retry(app, id, options.json))
  },
})

async function list(app: App, { code, user, limit, json }: Options, signal: AbortSignal): Promise<string[]> {
  const found = await newestInvalid(app, { code, userId: user, limit, signal })
  if (json) return found.map((one) => escapeJson(withHint(one)))
  return found.length === 0 ? ['There is no such invalid order.'] : invalidRows(found, app.now())
}

async function show(app: App, id: string, json: boolean): Promise<string[]> {
  const entry = await readInvalidEntry(app.redis, app.partitions, id)
  if (!entry) throw refused(refusedBy(404))
  return json
    ? [escapeJson(withHint(entry.json))]
    : invalidLines(entry, await laidOut(entry.text ?? entry.json), app.now())
}

/** Lays JSON out as the editor of the dashboard does, with numbers and strings as they were written. */
async function laidOut(text: string): Promise<string> {
  const file = new URL('../../../api/public/lib/json.js', import.meta.url).href
  const { pretty } = (await import(file)) as { pretty(text: string): string }
  return pretty(text)
}

async function discard(app: App, id: string, { reason, json }: Options): Promise<string[]> {
  if (reason === undefined) throw new OrdersError('ORD_USAGE', 'orders invalid discard: give a reason by --reason.')
  const by = operatingUser()
  await recorded(app, { action: 'discard', where: { id }, body: { reason } }, '', async () =>
    (await discardInvalid(app, id, { reason, by })) ? {} : refusedBy(404),
  )
  return json ? [jsonLine({ status: 'discarded', id })] : [`Invalid order ${id} is discarded.`]
}

async function retry(app: App, id: string, json: boolean): Promise<string[]> {
  const body = { ids: [id] }
  await using queues = openQueues(app.redis)
  const planned = await planReplay(app, { ...body, limit: 1, dryRun: false })
  await recorded(app, { action: 'replay', where: {}, body }, '', async () => {
    if (!(await readInvalidEntry(app.redis, app.partitions, id))) return refusedBy(404)
    await addReplay(queues, planned, operatingUser())
    return { jobId: planned.jobId }
  })
  return queuedLines(app, planned.jobId, json)
}

async function edit(app: App, id: string, signal: AbortSignal, json: boolean): Promise<string[]> {
  const entry = await readCorrectable(app, id)
  if ('status' in entry) throw refused(entry)
  const edited = await editText(entry.text === undefined ? '' : await laidOut(entry.text))
  const kept = (why: string): OrdersError => {
    const lines = [...wrapped(`${why} Nothing was sent. The text is kept in`), edited.file]
    return new OrdersError(signal.aborted ? 'ORD_INTERRUPTED' : 'ORD_EDIT', lines.join('\n'))
  }
  if (signal.aborted) throw kept('Interrupted.')
  if (edited.failure !== undefined) throw kept(`${edited.failure}.`)
  if (!edited.isChanged) throw kept('Nothing was changed.')
  const body = parseStandardJson(edited.text)
  if (body === undefined) throw kept('The text is not JSON.')
  if (!isObject(body)) throw kept('The text is not a JSON object.')
  await using queues = openQueues(app.redis)
  const asked = { action: 'edit', where: { id }, body }
  const correct = () => queueCorrection(app, queues, id, { body: edited.text, by: operatingUser() })
  const { jobId = '' } = await recorded(app, asked, edited.text, correct).catch((error: unknown) => {
    throw kept(messageOf(error).replaceAll('\n', ' '))
  })
  await edited.remove()
  return queuedLines(app, jobId, json)
}

async function queuedLines({ redis }: App, jobId: string, json: boolean): Promise<string[]> {
  const warning = await jobsWarning(redis).catch(() => undefined) // the job is queued all the same
  if (json) return [jsonLine({ status: 'accepted', job_id: jobId, warning })]
  const lines = ['Queued. This shows the verdict:', `orders jobs show ${jobId}`]
  return warning === undefined ? lines : [...lines, ...wrapped(warning)]
}

interface Done {
  /** The job that was queued. */
  readonly jobId?: string
}

/** Carries out what a route does too, with the same entry in the audit log. @throws OrdersError ORD_EDIT if refused */
async function recorded(app: App, asked: Asked, text: string, act: () => Promise<Refused | Done>): Promise<Done> {
  const action = { by: operatingUser(), ...actionAsked(asked, text) }
  const begun = await beginAction(app, action)
  let done: Refused | Done
  try {
    done = await act()
  } catch (error) {
    await begun.end(`failed: ${messageOf(error)}`)
    throw error
  }
  if ('status' in done) {
    await begun.cancel()
    throw refused(done)
  }
  await begun.end('done', done.jobId === undefined ? action.what : withJob(action.what, done.jobId))
  return done
}

const refused = ({ reason }: Refused): OrdersError => new OrdersError('ORD_EDIT', wrapped(reason).join('\n'))
