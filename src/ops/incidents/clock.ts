import type { Incident } from '../../control/incidents.ts'
import { countText } from '../../reads/count-text.ts'
import { isoOf } from '../../stream-id.ts'
import type { Clock } from './scan.ts'

/** Smaller corrections are normal: NTP steps a clock by seconds and slews it below one. */
const jumpMs = 5_000

/**
 * Compares the advance of Redis' clock between two scans with the time that can have passed. The wall clock of this machine
 * is no measure: it may be set together with Redis' clock. While this machine sleeps, only its uptime advances.
 * @param periodSeconds length of a generation of the ledger
 */
export function judgeClock(before: Clock, now: Clock, periodSeconds: number): Incident | undefined {
  const advanced = now.redisMs - before.redisMs
  const min = now.asked.monotonicMs - before.answered.monotonicMs
  const max = Math.max(
    now.answered.monotonicMs - before.asked.monotonicMs,
    now.answered.uptimeMs - before.asked.uptimeMs,
  )
  const ahead = advanced - max
  const behind = min - advanced
  if (ahead <= jumpMs && behind <= jumpMs) return undefined
  const jump = ahead > 0 ? `${durationOf(ahead)} ahead` : `${durationOf(behind)} back`
  const from = isoOf(before.redisMs)
  const text = `Redis' clock jumped ${jump}, from ${from} to ${isoOf(now.redisMs)}. ${effectOf(before, now, periodSeconds)}`
  return { kind: 'clock', place: '', ts: from, orders: 0, text }
}

/** A generation is forgotten when the one after the next begins. */
function effectOf(before: Clock, now: Clock, periodSeconds: number): string {
  const [from, to] = [before, now].map(({ redisMs }) => Math.floor(redisMs / 1_000 / periodSeconds)) as [number, number]
  const twice = 'one that SQS delivers again may be counted twice'
  if (to >= from + 2) return `The ledger has forgotten every order: ${twice}.`
  if (to === from + 1) {
    const since = isoOf(from * periodSeconds * 1_000)
    return `The ledger has forgotten the orders from before ${since}: ${twice}.`
  }
  if (to < from) return `The ledger finds orders from before the jump only once that time comes again: ${twice}.`
  return 'The ledger has forgotten nothing; the times of orders and rejections are off.'
}

const units = [
  ['days', 86_400_000],
  ['hours', 3_600_000],
  ['minutes', 60_000],
  ['seconds', 1_000],
] as const

function durationOf(ms: number): string {
  const [name, unit] = units.find(([, length]) => ms >= 2 * length) ?? units[3]
  return `${countText(Math.round(ms / unit))} ${name}`
}
