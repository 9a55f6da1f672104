import type { Config } from '../config/config.ts'
import { archive } from '../stages/archive/archive.ts'
import { countText } from './count-text.ts'

/* Sentences about components that do no work although they should. */

interface Component {
  readonly name: string
  /** A paused component waits on purpose. */
  readonly paused: boolean
  /** Processes that run it; null if that is not known. */
  readonly processes: number | null
  /** Time since one of them made progress. */
  readonly idleMs: number | null
  /** Orders that wait for it; null if that is not known. */
  readonly waiting: number | null
  readonly oldestWaitingMs: number | null
  /** A sentence if it is known why it does no work. */
  readonly failure?: string | null
}

/** The variables that say how long a component may do nothing. */
export type StallConfig = Pick<Config, 'claimIdleMs' | 'archiveSegmentSeconds'>

/** A stage that commits does so many times in this time, on a slow Redis too. */
const minStallMs = 30_000
/**
 * Work of a killed process is claimed after CLAIM_IDLE_MS; each process looks for it twice in that time. A process that is
 * killed over it again leaves it for as long once more.
 */
const stallMsAt = ({ claimIdleMs }: Pick<Config, 'claimIdleMs'>): number => Math.max(minStallMs, 3 * claimIdleMs)
/** The archive commits when a segment is cut. */
const holdMsOf = (name: string, { archiveSegmentSeconds }: Pick<Config, 'archiveSegmentSeconds'>): number =>
  name === archive.name ? archiveSegmentSeconds * 1_000 : 0

/** Says why a component does no work and what waits for it; null if it works, is paused or nothing is known of it. */
export function stallOf(component: Component, config: StallConfig): string | null {
  const stallMs = stallMsAt(config) + holdMsOf(component.name, config)
  const { name, failure = null, paused, processes, idleMs, oldestWaitingMs } = component
  if (paused || processes === null) return null
  if (failure !== null) return failure + waitingText(component)
  if (processes === 0) return `No process runs ${name}.${waitingText(component)}`
  if (idleMs === null || idleMs < stallMs || oldestWaitingMs === null || oldestWaitingMs < stallMs) return null
  return `Stage ${name} stands still: it has committed nothing for ${durationText(idleMs)}.${waitingText(component)}`
}

function waitingText({ waiting, oldestWaitingMs }: Component): string {
  if (waiting === null || waiting <= 0) return ''
  const age = oldestWaitingMs === null ? '' : durationText(oldestWaitingMs)
  if (waiting === 1) return ` 1 order waits${age && `, for ${age}`}.`
  return ` ${countText(waiting)} orders wait${age && `, the oldest for ${age}`}.`
}

const units = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
] as const

/** Formats a duration in the largest unit of which it has two: "90 seconds", "2 minutes". */
export function durationText(ms: number): string {
  const [unit, size] = units.find(([, size]) => ms >= 2 * size) ?? (['second', 1_000] as const)
  const count = Math.floor(ms / size)
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}
