import type { Incident } from '../../control/incidents.ts'
import type { Keys } from '../../keys.ts'
import { countText } from '../../reads/count-text.ts'
import type { Counts, Data, Scan } from './scan.ts'

/** The memory of a process about a partition: the last counters that it saw of each incarnation of the data. */
export interface Memory {
  readonly seen: Map<string, Seen>
  /** The incarnation of the last scan. */
  current: string | undefined
}

interface Seen {
  readonly counts: Counts
  readonly at: Date
}

export const openMemory = (): Memory => ({ seen: new Map(), current: undefined })

/** Each takes a few hundred bytes. If Redis is emptied more often, the oldest are forgotten. */
const maxSeen = 100

/**
 * Compares a scan with the memory, and adds it to the memory.
 * @returns the incident, if data is gone
 */
export function judgeData(memory: Memory, scan: Scan, keys: Keys): Incident | undefined {
  const { data, at } = scan
  if (!data) return undefined
  const { current, seen } = memory
  const before = current === undefined ? undefined : seen.get(current)
  const earlier = seen.get(data.incarnation)
  const changed = current !== undefined && current !== data.incarnation && current !== '' && data.incarnation !== ''
  memory.current = data.incarnation
  seen.delete(data.incarnation)
  seen.set(data.incarnation, { counts: data.counts, at })
  if (seen.size > maxSeen) seen.delete([...seen.keys()][0] ?? '')
  const loss = before && lossOf({ before, earlier, now: data, changed })
  if (!before || !loss) return undefined
  const between = `between ${before.at.toISOString()} and ${at.toISOString()}`
  const where = keys.partition === undefined ? '' : `Partition ${keys.partition}: `
  const text = `${where}${loss.what} ${between}: ${loss.counts}. ${goneOf(loss.orders)}`
  return { kind: 'data', place: String(keys.partition ?? ''), ts: at.toISOString(), orders: loss.orders, text }
}

interface Change {
  readonly before: Seen
  /** The last state seen of the present incarnation, if it was there before. */
  readonly earlier: Seen | undefined
  readonly now: Data
  readonly changed: boolean
}

interface Loss {
  readonly what: string
  readonly counts: string
  readonly orders: number
}

function lossOf({ before, earlier, now, changed }: Change): Loss | undefined {
  const dropped = fallOf(before.counts, now.counts)
  if (!changed) {
    if (dropped === 0) return undefined
    return { what: 'Redis went back to an earlier state', counts: change(before.counts, now.counts), orders: dropped }
  }
  if (earlier) {
    const orders = most(before.counts) + fallOf(earlier.counts, now.counts)
    const what = `Redis got back the data that it had until ${earlier.at.toISOString()}, and lost what it has had since,`
    return { what, counts: change(before.counts, now.counts), orders }
  }
  if (most(before.counts) === 0) return undefined // nothing was there
  const what =
    dropped > 0
      ? 'Redis was emptied, or other data put in place of its own,'
      : 'Other data was put in place of what Redis had, or the key that marks it was deleted,'
  return { what, counts: change(before.counts, now.counts), orders: dropped > 0 ? dropped : most(before.counts) }
}

const most = (counts: Counts): number => Math.max(...Object.values(counts))

/** Returns the largest decrease of a counter. */
function fallOf(before: Counts, now: Counts): number {
  return Math.max(0, ...Object.keys(now).map((name) => (before[name] ?? 0) - (now[name] ?? 0)))
}

function change(before: Counts, now: Counts): string {
  const number = (counts: Counts, name: string): string => countText(counts[name] ?? 0)
  const changed = Object.keys(now).filter((name) => before[name] !== now[name])
  return changed.map((name) => `${name} ${number(before, name)} → ${number(now, name)}`).join(', ') || 'same counts'
}

function goneOf(orders: number): string {
  if (orders === 0) return 'No order that was seen is gone; orders that arrived in between may be.'
  const some = orders === 1 ? '1 order is' : `${countText(orders)} orders are`
  return (
    `At most ${some} gone, plus those that arrived in between. ` +
    'SQS redelivers the messages that it still holds; the rest must be sent again or restored.'
  )
}
