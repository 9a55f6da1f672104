import { setTimeout as sleep } from 'node:timers/promises'
import { fullDisk } from '../../support/full-output.ts'
import { corrected } from '../corrected.ts'
import { backlog, type Cause, repeated } from './cause.ts'

/** Both processes of validate are killed, and a backlog grows before it. */
export const validateGone: Cause = {
  title: `both processes of validate killed, ${backlog} orders come`,
  fires: ['OrdersProcessDown', 'OrdersNoProcess', 'OrdersStageStalled', 'OrdersLagGrows', 'OrdersWaitLong'],
  begin: async ({ fleet, load }) => {
    await fleet.killAll('validate')
    const orders = load('--valid', String(backlog), '--invalid', '0')
    return async () => {
      await orders[Symbol.asyncDispose]()
      await fleet.startAll('validate')
    }
  },
}

/** Both processes of jobs are killed, and a corrected order waits for one. */
export const jobsGone: Cause = {
  title: 'both processes of jobs killed, an order is corrected',
  fires: ['OrdersRoleGone', 'OrdersJobsWaiting'],
  begin: async ({ fleet, request }) => {
    await fleet.killAll('jobs')
    await request('/orders/reprocess', 'POST', corrected('jobs-gone'))
    return () => fleet.startAll('jobs')
  },
}

/** Both API processes are killed. */
export const apiGone: Cause = {
  title: 'both processes of api killed',
  fires: ['OrdersMetricsMissing'],
  begin: async ({ fleet }) => {
    await fleet.killAll('api')
    return () => fleet.startAll('api')
  },
}

/** A process of leaderboard ends again and again, each time just after it was scraped. */
export const restarts: Cause = {
  title: 'a process of leaderboard killed again and again',
  fires: ['OrdersRestarts'],
  begin: async ({ fleet }) =>
    repeated(async () => {
      await fleet.kill('leaderboard', 1)
      await fleet.start('leaderboard', 1)
      await sleep(scrapedMs)
    }),
}

/** A little more than the time between two scrapes. */
const scrapedMs = 1_100

/** A process of calendar gets a quarter of a second of CPU in each second. */
export const starved: Cause = {
  title: 'a process of calendar gets no CPU for 0.65 s at a time',
  fires: ['OrdersEventLoopLag'],
  begin: async ({ fleet }) => {
    const { child } = fleet.process('calendar', 1)
    return repeated(async () => {
      child.kill('SIGSTOP')
      await sleep(650)
      child.kill('SIGCONT')
      await sleep(250)
    })
  },
}

/** A process of leaderboard logs to a disk that is full. */
export const fullLog: Cause = {
  title: 'the disk with the log of a process of leaderboard is full',
  fires: ['OrdersLogDropped'],
  begin: async ({ fleet }) => {
    await fleet.kill('leaderboard', 1)
    using disk = fullDisk()
    await fleet.start('leaderboard', 1, { LOG_LEVEL: 'debug' }, { stderr: disk.fd })
    return async () => {
      await fleet.kill('leaderboard', 1)
      await fleet.start('leaderboard', 1)
    }
  },
}

/** A release of validate with a bug: it fails on some orders. */
export const bug: Cause = {
  title: 'a release of validate fails on some orders',
  fires: ['OrdersInternalErrors'],
  begin: async ({ fleet, orders }) => {
    const preload = new URL('../bug-preload.ts', import.meta.url).href
    await fleet.killAll('validate')
    await fleet.startAll('validate', { NODE_OPTIONS: `--import=${preload}` })
    for (let at = 0; at < 3; at++) {
      await orders('populate', '--body', `{"user_id":"buggy","order_id":"${at}","order_value":1}`)
    }
    return async () => {
      await fleet.killAll('validate')
      await fleet.startAll('validate')
      await orders('replay', '3', '--code', 'internal-error')
    }
  },
}

/** An operator pauses calendar and forgets it. */
export const pausedLong: Cause = {
  title: 'calendar paused, and forgotten',
  fires: ['OrdersPausedLong'],
  begin: async ({ orders }) => {
    await orders('pause', 'calendar')
    return () => orders('resume', 'calendar')
  },
}

/** A pause takes effect within a second. */
const pausedMs = 2_000

/** An order is corrected while validate is paused: no attempt of its job gets a verdict. */
export const jobFails: Cause = {
  title: 'an order is corrected while validate is paused',
  fires: ['OrdersJobsFailing'],
  begin: async ({ orders, request }) => {
    await orders('pause', 'validate')
    await sleep(pausedMs)
    await request('/orders/reprocess', 'POST', corrected('job-fails'))
    return async () => {
      await orders('resume', 'validate')
      await request('/admin/queues/api/queues/reprocess/retry/failed', 'PUT', {})
    }
  },
}
