import { z } from 'zod'
import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { closeOnStop } from '../../redis/client.ts'
import { isAway } from '../../redis/errors.ts'
import { type Call, flag, type Option } from '../command.ts'
import { requireAdopted } from '../manifest/adoption.ts'
import { connectCommandApp } from '../open/command-app.ts'
import { interruptible } from '../process/interruptible.ts'
import { requireConsent } from '../terminal/interactive/ask.ts'
import type { Session } from './session.ts'

/* The parts that the commands share which count the archive again. */

export interface SharedOptions {
  readonly from: string | undefined
  readonly 'count-rejected': boolean
  readonly yes: boolean
  readonly json: boolean
}

const from: Option<string | undefined> = {
  hint: 'URL',
  about: 'one more archive, such as that of a system whose Redis was lost; read only',
  expected: 's3://bucket/prefix or file:///folder',
  schema: z.string().min(1).optional(),
}

export const sharedOptions = {
  from,
  'count-rejected': flag('counts what a stage has rejected, too, and discards it, so that no replay counts it again'),
  yes: flag('does not ask'),
  json: flag('as JSON on one line'),
}

/** After a signal, a command that waits for Redis ends after this. A step takes less. */
const stopGraceMs = 3_000

/** Runs the work of a command on an app that it opens. @param name of the command, for messages */
export async function runInCommand<Options>(
  { config, signal }: Pick<Call<Options>, 'config' | 'signal'>,
  name: string,
  work: (app: App) => Promise<void>,
): Promise<void> {
  await using app = await connectCommandApp(config, 'work')
  using _ = closeOnStop(app.redis, stopGraceMs, signal)
  await requireAdopted(app.redis, app.config)
  const working = work(app).catch((error: unknown) => {
    if (!isAway(error)) throw error
    const message = 'Redis does not answer: nothing is lost, so run this again once it answers.'
    throw new OrdersError('ORD_REDIS_UNREACHABLE', message, { cause: error })
  })
  await interruptible(working, signal, () => `Interrupted. Nothing is lost: run orders ${name} again to continue.`)
}

/** Returns what a build needs of a command. */
export function sessionOf({
  options,
  signal,
  print,
  stdout,
}: Call<SharedOptions>): Omit<Session, 'stages' | 'untilMs'> {
  const question = 'An earlier rebuild has built other numbers. This deletes them, as --drop does. Go on?'
  return {
    from: options.from,
    print: options.json ? () => {} : print,
    read: () => {},
    mayReplace: () => requireConsent(question, { yes: options.yes, stdout, signal }),
  }
}
