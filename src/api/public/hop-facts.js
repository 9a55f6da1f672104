// @ts-check
import { ago, bytes, duration, exact, exactTime, number } from './lib/format.js'

/** @typedef {import('../live/snapshot.ts').Snapshot} Snapshot */
/** @typedef {Snapshot['hops'][number]} Hop */
/** @typedef {{ name: string, text: string, detail: string, kind?: import('./lib/dom.js').Kind }} Fact */

/** The hop whose waiting orders are in SQS, where they are shown. */
export const bridge = 'bridge'
/** The hop whose orders wait for the end of a segment: its segments are shown in place of that wait. */
const archive = 'archive'

/**
 * Returns what the card of a hop shows below its rate.
 * @param {Hop} hop
 * @param {number} now ms
 * @param {Snapshot['archive']} archived
 * @returns {Fact[]}
 */
export function factsOf(hop, now, archived) {
  const waiting = { name: 'Waiting', text: number(hop.waiting), detail: exact(hop.waiting) }
  return [
    ...(hop.name === bridge ? [] : [waiting]),
    ...(hop.name === archive && archived ? segmentsOf(archived, now) : waitsOf(hop)),
    ...(hop.consumers === null ? [] : pendingOf(hop)),
    {
      name: 'Processes',
      text: number(hop.processes),
      detail: exact(hop.processes),
      kind: hop.stall !== null && hop.processes === 0 ? 'bad' : undefined,
    },
  ]
}

/**
 * @param {Hop} hop
 * @returns {Fact[]}
 */
const waitsOf = ({ p50_ms, p99_ms }) => [
  { name: 'Wait p50', text: duration(p50_ms), detail: exactMs(p50_ms) },
  { name: 'Wait p99', text: duration(p99_ms), detail: exactMs(p99_ms) },
]

/**
 * @param {NonNullable<Snapshot['archive']>} archived
 * @param {number} now ms
 * @returns {Fact[]}
 */
const segmentsOf = ({ segments, bytes: size, last_at: last }, now) => [
  {
    name: 'Segments',
    text: segments === 0 ? '0' : `${number(segments)}, ${bytes(size)}`,
    detail: `${exact(segments)} of ${exact(size)} bytes`,
  },
  {
    name: 'Last one',
    text: last === null ? '–' : ago(last, now),
    detail: last === null ? 'none yet' : exactTime(last),
  },
]

/**
 * @param {Hop} hop
 * @returns {Fact[]}
 */
const pendingOf = ({ pending, oldest_waiting_ms: oldest }) => [
  { name: 'In flight', text: number(pending), detail: `${exact(pending)} entries delivered and not acknowledged` },
  {
    name: 'Oldest',
    text: duration(oldest),
    detail: oldest === null ? 'none waits' : `it came ${exact(oldest)} ms ago`,
  },
]

/** @param {number | null} ms */
const exactMs = (ms) => (ms === null ? 'no order in the last 20 seconds' : `${exact(ms)} ms`)
