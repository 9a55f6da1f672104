import type { App } from '../../app.ts'
import {
  type Incident,
  keepIncidents,
  noteIncident,
  type OpenIncident,
  readIncidents,
} from '../../control/incidents.ts'
import { messageOf } from '../../errors.ts'

/** What this process writes into Redis of what it notices. */
export interface Notes {
  /** Reads the open incidents, looks, and notes what it shows: each once, said by the one process that was first. */
  of(look: () => Promise<readonly Incident[]>): Promise<void>
}

interface Unwritten {
  readonly incident: Incident
  /** Ids of the incidents there were before it happened. */
  readonly before: readonly string[]
  said: boolean
}

/** What Redis refuses is tried again at the next look. Each kind of look has notes of its own. */
export function openNotes({ redis, telemetry }: App): Notes {
  let before: readonly OpenIncident[] = [] // those there were at the last look that succeeded
  const unwritten: Unwritten[] = []
  const say = (note: Unwritten): void => {
    if (!note.said) telemetry.emit('incident', { kind: note.incident.kind, text: note.incident.text })
    note.said = true
  }
  const write = async (note: Unwritten): Promise<void> => {
    try {
      if (await noteIncident(redis, note.incident, note.before)) say(note)
    } catch (error) {
      say(note) // a full Redis takes no note: the log does
      throw error
    }
    unwritten.splice(unwritten.indexOf(note), 1)
  }
  return {
    of: async (look) => {
      const open = await readIncidents(redis).catch(() => before) // of another type, say: the look goes on
      const noticed = await look()
      const ids = before.map(({ id }) => id)
      for (const incident of noticed) {
        // Lines that are gone stay gone: of a generation that is one incident, until it is acknowledged.
        unwritten.push({ incident, before: incident.kind === 'ledger' ? [] : ids, said: false })
      }
      if (noticed.some(({ kind }) => kind === 'data')) await keepIncidents(redis, [...before, ...open]).catch(() => {})
      before = open
      for (const note of [...unwritten]) await write(note)
      // With what was noted just now: the next look must know it.
      if (noticed.length > 0) before = await readIncidents(redis).catch(() => open)
    },
  }
}

/** Says once that something fails, until it works again. */
export function sayOnce({ telemetry }: App): (work: () => Promise<void>, signal: AbortSignal) => Promise<void> {
  let failing = false
  return async (work, signal) => {
    try {
      await work()
      failing = false
    } catch (error) {
      if (!failing && !signal.aborted) telemetry.emit('incidentsFailed', { error: messageOf(error) })
      failing = true
    }
  }
}
