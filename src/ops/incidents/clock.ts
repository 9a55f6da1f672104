import type { Incident } from '../../control/incidents.ts'
import { isoOf } from '../../time.ts'
import type { Clock } from './scan.ts'

/** Clocks are set right by less all the time; NTP slews what is below a second. */
const jumpMs = 5_000

/**
 * Compares how far Redis' clock went between two looks with how much time can have passed. Its wall clock is no measure: it
 * may be set together with Redis' own. While this machine slept only its uptime went on.
 * @param periodSeconds how long a generation of the ledger is
 */
export function judgeClock(before: Clock, now: Clock, periodSeconds: number): Incident | undefined {
  const went = now.redisMs - before.redisMs
  const least = now.asked.monotonicMs - before.answered.monotonicMs
  const most = Math.max(
    now.answered.monotonicMs - before.asked.monotonicMs,
    now.answered.uptimeMs - before.asked.uptimeMs,
  )
  const ahead = went - most
  const behind = least - went
  if (ahead <= jumpMs && behind <= jumpMs) return undefined
  const jump = ahead > 0 ? `${durationOf(ahead)} ahead` : `${durationOf(behind)} back`
  const from = isoOf(before.redisMs)
  const text = `Redis' clock jumped ${jump}, from ${from} to ${isoOf(now.redisMs)}. ${effectOf(before, now, periodSeconds)}`
  return { kind: 'clock', place: '', ts: from, orders: 0, text }
}

/** A generation is forgotten when the one after the next begins. */
function effectOf(before: Clock, now: Clock, periodSeconds: number): string {
  const [one, other] = [before, now].map(({ redisMs }) => Math.floor(redisMs / 1_000 / periodSeconds)) as [
    number,
    number,
  ]
  const twice = 'one that SQS delivers again may be counted twice'
  if (other >= one + 2) return `The ledger has forgotten every order: ${twice}.`
  if (other === one + 1) {
    const since = isoOf(one * periodSeconds * 1_000)
    return `The ledger has forgotten the orders from before ${since}: ${twice}.`
  }
  if (other < one) return `The ledger finds orders from before the jump only when that time comes again: ${twice}.`
  return 'The ledger has forgotten nothing by it; times of orders and of rejections are off.'
}

const units = [
  ['days', 86_400_000],
  ['hours', 3_600_000],
  ['minutes', 60_000],
  ['seconds', 1_000],
] as const

function durationOf(ms: number): string {
  const [name, unit] = units.find(([, length]) => ms >= 2 * length) ?? units[3]
  return `${Math.round(ms / unit).toLocaleString('en')} ${name}`
}
