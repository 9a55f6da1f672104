import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { App } from '../../../app.ts'
import { openQueues } from '../../../control/job-queues.ts'
import { holdLock } from '../../../control/lock.ts'
import { OrdersError } from '../../../errors.ts'
import { maxPartitions } from '../../../partitions.ts'
import { isAway } from '../../../redis/errors.ts'
import { infoOf } from '../../../redis/info.ts'
import { emulatorOs } from '../../checks/server.ts'
import { defineCommand, flag, wholeNumber } from '../../command.ts'
import { howToGetRedis } from '../../local/redis-program.ts'
import { requireAdopted } from '../../manifest/adoption.ts'
import { type Repartition, readRepartition } from '../../manifest/repartition.ts'
import { layoutOf } from '../../manifest/settings.ts'
import { connectCommandApp } from '../../open/command-app.ts'
import { interruptible } from '../../process/interruptible.ts'
import { type Run, repartition, undoRepartition } from '../../repartition/phases.ts'

export const command = defineCommand({
  name: 'repartition',
  about:
    'Moves everything to another number of partitions: pauses, drains, moves, verifies, resumes. If it is killed, run it again to continue.',
  examples: ['repartition --to 8', 'repartition --undo'],
  page: 'docs/how-to/change-partitions.md',
  options: {
    to: {
      hint: 'N',
      about: 'the new number of partitions',
      expected: `a whole number from 1 to ${maxPartitions}`,
      schema: z
        .string()
        .regex(/^\d{1,3}$/)
        .transform(Number)
        .pipe(z.int().min(1).max(maxPartitions))
        .optional(),
    },
    timeout: wholeNumber('maximum seconds to wait until no order waits', 600, { min: 3, max: 86_400 }),
    undo: flag('undoes a repartition that was killed before it moved anything'),
    force: flag('finishes even if the books do not balance: verify and repair them then'),
  },
  run: async ({ config, options: { to, timeout, undo, force }, signal, print }) => {
    if (to === undefined && !undo) {
      throw new OrdersError('ORD_USAGE', 'orders repartition: give the new number of partitions, as in --to 8.')
    }
    await using app = await connectCommandApp(config)
    await refuseEmulator(app)
    await using queues = openQueues(app.redis)
    await using lock = await holdLock(app.redis, print, signal)
    await requireAdopted(app.redis, app.config)
    const run = { app, queues, print, timeoutMs: timeout * 1_000, force, lock }
    const known = await readRepartition(app.redis)
    if (undo || to === undefined) return await callOff(run, known)
    const state = await stateFor(run, known, to)
    if (state.from === to) return print(`There are ${to} partitions already.`)
    const moving = repartition(run, state, signal).catch((error: unknown) => {
      if (!isAway(error)) throw error
      const message = 'Redis does not answer: nothing is lost, so run this again once it answers.'
      throw new OrdersError('ORD_REDIS_UNREACHABLE', message, { cause: error })
    })
    await interruptible(moving, signal, () => interrupted(app, to))
    print(`Done: start every process with PARTITIONS=${to}; those with another number have ended by themselves.`)
  },
})

async function interrupted({ redis }: App, to: number): Promise<string> {
  const again = `run orders repartition --to ${to} again to continue`
  const known = await readRepartition(redis).catch(() => null)
  if (known === undefined) return 'Interrupted. Nothing was moved, and everything runs as before.'
  if (known === null) return `Interrupted. Nothing is lost: ${again}.`
  if (known.phase === 'drain') return `Interrupted. All is paused: ${again}, or orders repartition --undo.`
  return `Interrupted. Orders were moved, and all stays paused until the move has ended: ${again}.`
}

/** @throws OrdersError ORD_USAGE for the emulator: it ends with its process, and a repartition ends every process */
async function refuseEmulator({ redis }: App): Promise<void> {
  const info = await redis.info('server').catch(() => '') // a server that forbids INFO is no emulator
  if (infoOf([info])('os') !== emulatorOs) return
  const text =
    'Redis is the in-process emulator, which forgets everything when its process ends, and a repartition ends it.'
  throw new OrdersError('ORD_USAGE', `${text} Nothing was changed: ${howToGetRedis()}, and run this there.`)
}

/** Returns the repartition under way, or a new one. @throws OrdersError ORD_USAGE if there is none to do */
async function stateFor({ app, lock }: Run, known: Repartition | undefined, to: number): Promise<Repartition> {
  if (lock.waited && !known) {
    const message = 'Another orders repartition has just ended: run this one again if you still want it.'
    throw new OrdersError('ORD_USAGE', message)
  }
  const state = known ?? (await begin(app, to))
  if (state.to === to) return state
  const message = `A repartition to ${state.to} is under way`
  throw new OrdersError('ORD_USAGE', `${message}: let it end first, by orders repartition --to ${state.to}.`)
}

async function begin({ redis }: App, to: number): Promise<Repartition> {
  const from = await layoutOf(redis)
  if (from !== undefined) return { id: randomUUID(), from, to, phase: 'drain', queues: [] }
  throw new OrdersError('ORD_USAGE', `Redis is not set up yet: start every process with PARTITIONS=${to}.`)
}

async function callOff(run: Run, state: Repartition | undefined): Promise<void> {
  if (!state) return run.print('No repartition is under way.')
  if (state.phase !== 'drain') {
    const message = `The repartition to ${state.to} has moved orders already`
    throw new OrdersError('ORD_USAGE', `${message}: let it end, by orders repartition --to ${state.to}.`)
  }
  await undoRepartition(run, state)
  run.print('Undone: everything is as it was.')
}
