import type { App } from '../../../app.ts'
import { holdLock } from '../../../control/lock.ts'
import { OrdersError } from '../../../errors.ts'
import { failureText, readArchiveState } from '../../../reads/archive/state.ts'
import { countText } from '../../../reads/count-text.ts'
import { archive } from '../../../stages/archive/archive.ts'
import { requireSameArchive } from '../../../stages/archive/same-archive.ts'
import { openStore } from '../../../stages/archive/store/store.ts'
import { actionOf } from '../../action.ts'
import { flushOrExplain } from '../../archive/flush.ts'
import { leaveArchive } from '../../archive/leave.ts'
import { uncountedAdvice, uncountedRecords, uncountedText } from '../../archive/uncounted.ts'
import { type ArchiveCheck, verifyArchive } from '../../archive/verify.ts'
import { type Call, defineCommand, flag, wholeNumber } from '../../command.ts'
import { openCommandApp } from '../../open/command-app.ts'
import { interruptible } from '../../process/interruptible.ts'
import { requireConsent } from '../../terminal/interactive/ask.ts'
import { type Progress, progressOn } from '../../terminal/interactive/progress.ts'
import { countOf } from '../../terminal/numbers.ts'
import { type Line, sentence } from '../../terminal/output.ts'
import { jsonLine } from '../../terminal/printable.ts'

const name = 'archive'
const words = '[show | verify | flush | leave]'

interface Options {
  readonly timeout: number
  readonly yes: boolean
  readonly json: boolean
}

export const command = defineCommand<Options>({
  name,
  words,
  about:
    'Shows what the archive has, verifies it, or cuts its open segments. verify reads every segment and compares it with the manifest and the books; exit code 1 if anything differs. flush ends when all that was counted is in segments. leave ends the archive: Redis keeps no orders for it any more.',
  examples: ['archive', 'archive verify --json', 'archive flush --timeout 30'],
  page: 'docs/how-to/archive.md',
  options: {
    timeout: wholeNumber('of flush: maximum seconds to wait', 60, { min: 1, max: 86_400 }),
    yes: flag('of leave: does not ask'),
    json: flag('of show and verify: as JSON on one line'),
  },
  run: async (call) => {
    const { action } = actionOf({ name, words }, call.words)
    await using app = await openCommandApp(call.config)
    if (action !== 'leave' && !app.pipeline.stage(archive.name))
      throw new OrdersError('ORD_CONFIG', 'There is no archive: set ARCHIVE_URL for it.')
    await { show, verify, flush, leave }[action as 'show' | 'verify' | 'flush' | 'leave'](app, call)
  },
})

async function show(app: App, { options: { json }, print }: Call<Options>): Promise<void> {
  using store = await openStore(app.config)
  const { segments, bytes, lastAt, unstored, failure } = await readArchiveState(app.redis, app.partitions)
  // While it cannot be written it may not be readable either: then this says what Redis knows.
  if (!failure) await requireSameArchive(app, store)
  const uncounted = failure ? null : await uncountedRecords(app, store)
  if (json)
    return print(jsonLine({ place: store.place, segments, bytes, last_at: lastAt, unstored, uncounted, failure }))
  const last = lastAt ? `, the last at ${lastAt}` : ''
  const written = `${countOf(segments, 'segment')} written so far, ${countOf(bytes, 'byte')} compressed${last}`
  print(sentence(`${store.place}: ${written}. orders archive verify counts those that are still there.`, '  '))
  if (unstored > 0) print(`In Redis alone: ${countOf(unstored, 'line')} of the manifest.`)
  if (uncounted) print(sentence(`It ${uncountedText(uncounted)}. ${uncountedAdvice}`, '  ', 'yellow'))
  if (failure) print(sentence(failureText(failure), '  ', 'red'))
}

async function verify(app: App, { options: { json }, signal, print, stdout, fail }: Call<Options>): Promise<void> {
  using store = await openStore(app.config)
  let bar: Progress | undefined
  const onSegment = (done: number, of: number): void => {
    bar ??= progressOn(stdout, 'read', of)
    bar.show(done)
  }
  const verifying = verifyArchive({ app, store, signal, ...(!json && stdout.isTTY && { onSegment }) })
  const found = await interruptible(verifying, signal, () => 'Interrupted. Nothing was changed.')
  bar?.end()
  print(json ? jsonLine(jsonOf(found)) : checkLines(found))
  if (found.verdict === 'wrong') fail()
}

const jsonOf = ({ verdict, differences, notes, ...counts }: ArchiveCheck) => ({
  verdict,
  ...counts,
  differences,
  notes,
})

/** Differences that are shown. An archive that was lost has one for each segment. */
const maxShown = 10

function checkLines({
  verdict,
  chains,
  segments,
  records,
  bytes,
  waiting,
  before,
  differences,
  notes,
}: ArchiveCheck): Line[] {
  const has = `${countOf(segments, 'segment')} with ${countOf(records, 'record')}, ${countOf(bytes, 'byte')} compressed, ${countOf(chains, 'chain')}`
  const more = differences.length - maxShown
  const rest = `${waiting === null ? '?' : countText(waiting)} orders wait for it, ${before === null ? '?' : countText(before)} came before it began`
  return [
    sentence(`The archive is ${verdict}: ${has}; ${rest}.`, '  '),
    ...differences.slice(0, maxShown).map((one) => sentence(one, '  ', 'red')),
    ...(more > 0 ? [`and ${countOf(more, 'more difference')}: --json has all.`] : []),
    ...notes.map((one) => sentence(one, '  ')),
  ]
}

async function flush(app: App, { options: { timeout }, signal, print, fail }: Call<Options>): Promise<void> {
  const either = AbortSignal.any([signal, AbortSignal.timeout(timeout * 1_000)])
  let left = app.partitions.length
  try {
    await flushOrExplain(app, either, (partitions) => {
      left = partitions
    })
  } catch (error) {
    if (!either.aborted || signal.aborted) throw error
    fail()
    const found = `Not flushed in ${countText(timeout)} s: ${countOf(left, 'partition')} left`
    return print(sentence(`${found}. The archive still works: give it more time by --timeout.`, '  ', 'red'))
  }
  print('Flushed: all that was counted is in segments.')
}

async function leave(app: App, { options: { yes }, signal, stdout, print }: Call<Options>): Promise<void> {
  const question = 'Redis forgets the orders that wait for the archive, and archives no later ones. End the archive?'
  await requireConsent(question, { yes, stdout, signal })
  await using _ = await holdLock(app.redis, print, signal, 'orders archive leave, rebuild, erase or repartition')
  await leaveArchive(app)
  print('The archive has left. What it has written stays where it is.')
}
