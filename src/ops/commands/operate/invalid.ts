import { z } from 'zod'
import { type Asked, actionAsked, withJob } from '../../../api/http/summary.ts'
import type { App } from '../../../app.ts'
import { audited } from '../../../control/audit-log.ts'
import { openQueues } from '../../../control/job-queues.ts'
import { jobsWarning } from '../../../control/jobs-alive.ts'
import { type ErrorCode, messageOf, OrdersError } from '../../../errors.ts'
import { isObject } from '../../../order/json.ts'
import { parseExactIds } from '../../../order/read-order.ts'
import { doesNotAnswer, explainFailure } from '../../../redis/errors.ts'
import { rejectCodes } from '../../../reject-codes.ts'
import { withNotes } from '../../../stages/hints/entry.ts'
import {
  addCorrection,
  addReplay,
  discardInvalid,
  entryIdPattern,
  planCorrection,
  planReplay,
  type Refused,
  readCorrectable,
  refusedBy,
} from '../../../stages/invalid/actions.ts'
import { readInvalidEntry } from '../../../stages/invalid/entry.ts'
import { newestInvalid } from '../../../stages/invalid/page.ts'
import { actionOf } from '../../action.ts'
import { defineCommand, flag, reasonOption, wholeNumber } from '../../command.ts'
import { openCommandApp } from '../../open/command-app.ts'
import { operatingUser } from '../../process/operating-user.ts'
import { type Given, givenText } from '../../terminal/given-text.ts'
import { editText, unedited } from '../../terminal/interactive/editor.ts'
import { invalidLines, invalidRows } from '../../terminal/invalid-text.ts'
import { escapeJson, jsonLine } from '../../terminal/printable.ts'
import { wrapped } from '../../terminal/wrapped.ts'

const name = 'invalid'
const words = '[list | show <id> | edit <id> | retry <id> | discard <id>]'

interface Options {
  readonly code: (typeof rejectCodes)[number] | undefined
  readonly user: string | undefined
  readonly limit: number
  readonly reason: string | undefined
  readonly file: string | undefined
  readonly body: string | undefined
  readonly json: boolean
}

export const command = defineCommand<Options>({
  name,
  words,
  about:
    'Lists invalid orders, newest first, or shows, corrects, retries or discards one. edit opens it in $VISUAL or $EDITOR and sends what you saved in its place, or what --file or --body gives; retry sends it as it is.',
  examples: ['invalid --code bad-value', 'invalid edit 1764000000000-0 --file order.json'],
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
    file: {
      hint: 'FILE',
      about: 'of edit: sends the order in this file, without an editor; - reads standard input',
      expected: 'a path',
      schema: z.string().min(1).optional(),
    },
    body: {
      hint: 'JSON',
      about: 'of edit: sends this order, without an editor',
      expected: 'an order as JSON',
      schema: z.string().min(1).optional(),
    },
    json: flag('as JSON, one object a line'),
  },
  run: async ({ config, options, words: given, signal, print }) => {
    const { action, argument: id } = actionOf({ name, words }, given)
    if (action !== 'list' && !entryIdPattern.test(id)) {
      throw new OrdersError('ORD_USAGE', `orders invalid: the id is "${id}", expected one such as 1764000000000-0.`)
    }
    requireUse(action, options)
    await using app = await openCommandApp(config)
    if (action === 'list') return print(await list(app, options, signal))
    if (action === 'show') return print(await show(app, id, options.json))
    if (action === 'discard') return print(await discard(app, id, options))
    print(action === 'edit' ? await edit(app, id, signal, options) : await retry(app, id, options.json))
  },
})

/** @throws OrdersError ORD_USAGE for a text that is given twice, or to another action than edit */
function requireUse(action: string, { file, body }: Given): void {
  if (file === undefined && body === undefined) return
  if (action !== 'edit') throw new OrdersError('ORD_USAGE', 'orders invalid: --file and --body are options of edit.')
  if (file !== undefined && body !== undefined) {
    throw new OrdersError('ORD_USAGE', 'orders invalid edit: --file and --body give two texts: give one.')
  }
}

async function list(app: App, { code, user, limit, json }: Options, signal: AbortSignal): Promise<string[]> {
  const found = await newestInvalid(app, { code, userId: user, limit, signal })
  if (json) return found.map((one) => escapeJson(withNotes(one, app)))
  return found.length === 0 ? ['There is no such invalid order.'] : invalidRows(found, app.format, app.now())
}

async function show(app: App, id: string, json: boolean): Promise<string[]> {
  const entry = await readInvalidEntry(app.redis, app.partitions, id)
  if (!entry) throw refused(refusedBy('gone'))
  return json
    ? [escapeJson(withNotes(entry.json, app))]
    : invalidLines(entry, await laidOut(entry.text ?? entry.json), app)
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
    (await discardInvalid(app, id, { reason, by })) ? {} : refusedBy('gone'),
  )
  return json ? [jsonLine({ status: 'discarded', id })] : [`Invalid order ${id} is discarded.`]
}

async function retry(app: App, id: string, json: boolean): Promise<string[]> {
  const body = { ids: [id] }
  await using queues = openQueues(app.redis)
  const planned = await planReplay(app, { ...body, limit: 1, dryRun: false })
  await recorded(app, { action: 'replay', where: {}, body }, '', async () => {
    if (!(await readInvalidEntry(app.redis, app.partitions, id))) return refusedBy('gone')
    await addReplay(queues, planned, operatingUser()).catch((error: unknown) => {
      const lines = wrapped(`${failureText(error)} ${sentText(planned.jobId)}`)
      throw new OrdersError(codeOf(error), lines.join('\n'), { cause: error })
    })
    return { jobId: planned.jobId }
  })
  return queuedLines(app, planned.jobId, json)
}

async function edit(app: App, id: string, signal: AbortSignal, { json, ...options }: Options): Promise<string[]> {
  const entry = await readCorrectable(app, id)
  if ('refused' in entry) throw refused(entry)
  const given = await givenText(options)
  const edited =
    given === undefined ? await editText(entry.text === undefined ? '' : await laidOut(entry.text)) : unedited(given)
  /** @param jobId the job that may have been added */
  const stopped = async (why: string, code: ErrorCode = 'ORD_EDIT', jobId?: string): Promise<OrdersError> => {
    if (!edited.isChanged) await edited.remove()
    const text = `${why} ${sentText(jobId)}`
    const isKept = edited.isChanged && edited.file !== undefined
    const lines = isKept ? [...wrapped(`${text} The text is kept in`), edited.file] : wrapped(text)
    return new OrdersError(signal.aborted ? 'ORD_INTERRUPTED' : code, lines.join('\n'))
  }
  if (signal.aborted) throw await stopped('Interrupted.')
  if (edited.failure !== undefined) throw await stopped(`${edited.failure}.`)
  if (!edited.isChanged) throw await stopped('Nothing was changed.')
  const body = parseExactIds(edited.text)
  if (body === undefined) throw await stopped('The text is not JSON.')
  if (!isObject(body)) throw await stopped('The text is not a JSON object.')
  await using queues = openQueues(app.redis)
  let adding: string | undefined
  const asked = { action: 'edit', where: { id }, body }
  const { jobId = '' } = await recorded(app, asked, edited.text, async () => {
    const planned = await planCorrection(app, id, { body: edited.text, by: operatingUser() })
    if ('refused' in planned) return planned
    adding = planned.jobId
    await addCorrection(queues, planned)
    return planned
  }).catch(async (error: unknown) => {
    throw await stopped(failureText(error), codeOf(error), adding)
  })
  await edited.remove()
  return queuedLines(app, jobId, json)
}

/** Says what is known of an order after a failure. @param jobId its job, if that may have been added */
const sentText = (jobId: string | undefined): string =>
  jobId === undefined
    ? 'Nothing was sent.'
    : `It is not known whether it was sent: orders jobs show ${jobId} finds it if it was.`

const failureText = (error: unknown): string =>
  explainFailure(error)?.text ?? `${messageOf(error).replaceAll('\n', ' ').replace(/\.$/, '')}.`

const codeOf = (error: unknown): ErrorCode => (doesNotAnswer(error) ? 'ORD_REDIS_UNREACHABLE' : 'ORD_EDIT')

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
  const action = { by: operatingUser(), ...actionAsked(asked, text, app.format) }
  const whatOf = (done: Refused | Done): string | undefined => {
    if ('refused' in done) return undefined
    return done.jobId === undefined ? action.what : withJob(action.what, done.jobId)
  }
  const result = await audited(app, action, act, whatOf)
  if ('refused' in result) throw refused(result)
  return result
}

const refused = ({ reason }: Refused): OrdersError => new OrdersError('ORD_EDIT', wrapped(reason).join('\n'))
