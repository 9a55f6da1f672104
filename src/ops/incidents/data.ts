import type { Incident } from '../../control/incidents.ts'
import type { Keys } from '../../keys.ts'
import { type Counts, type Data, growing, type Look } from './scan.ts'

/** What a process remembers of a partition: how far each incarnation of its data had come when it was last seen. */
export interface Memory {
  readonly seen: Map<string, Seen>
  /** The one that was seen last. */
  current: string | undefined
}

interface Seen {
  readonly counts: Counts
  readonly at: Date
}

export const openMemory = (): Memory => ({ seen: new Map(), current: undefined })

/** Each is some hundred bytes; a Redis that is emptied more often is remembered as far as this. */
const mostSeen = 100

/**
 * Compares what is there with what has been seen, and remembers it.
 * @returns what happened in between, where data is gone
 */
export function judgeData(memory: Memory, look: Look, keys: Keys): Incident | undefined {
  const { data, at } = look
  if (!data) return undefined
  const { current, seen } = memory
  const before = current === undefined ? undefined : seen.get(current)
  const earlier = seen.get(data.incarnation)
  const changed = current !== undefined && current !== data.incarnation && current !== '' && data.incarnation !== ''
  memory.current = data.incarnation
  seen.delete(data.incarnation)
  seen.set(data.incarnation, { counts: data.counts, at })
  if (seen.size > mostSeen) seen.delete([...seen.keys()][0] ?? '')
  const story = before && storyOf({ before, earlier, now: data, changed })
  if (!before || !story) return undefined
  const between = `between ${before.at.toISOString()} and ${at.toISOString()}`
  const where = keys.partition === undefined ? '' : `Partition ${keys.partition}: `
  const text = `${where}${story.what} ${between}: ${story.counts}. ${goneOf(story.orders)}`
  return { kind: 'data', place: String(keys.partition ?? ''), ts: at.toISOString(), orders: story.orders, text }
}

interface Change {
  readonly before: Seen
  /** What was seen of the data that is there now, if it was there before. */
  readonly earlier: Seen | undefined
  readonly now: Data
  readonly changed: boolean
}

interface Story {
  readonly what: string
  readonly counts: string
  readonly orders: number
}

function storyOf({ before, earlier, now, changed }: Change): Story | undefined {
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

/** By how much the counter fell that fell most. */
function fallOf(before: Counts, now: Counts): number {
  return Math.max(0, ...growing.map((name) => (before[name] ?? 0) - (now[name] ?? 0)))
}

function change(before: Counts, now: Counts): string {
  const number = (counts: Counts, name: string): string => (counts[name] ?? 0).toLocaleString('en')
  const changed = growing.filter((name) => before[name] !== now[name])
  return changed.map((name) => `${name} ${number(before, name)} → ${number(now, name)}`).join(', ') || 'same counts'
}

function goneOf(orders: number): string {
  if (orders === 0) return 'Nothing that was seen is gone; what came in between the two may be.'
  const some = orders === 1 ? '1 order is' : `${orders.toLocaleString('en')} orders are`
  return (
    `At most ${some} gone, beside what came in between the two. ` +
    'What SQS still holds comes again by itself; the rest must be sent again or restored.'
  )
}
