import type { App } from '../../app.ts'
import { messageOf } from '../../errors.ts'
import { type Incident, keepIncidents, noteIncident, type OpenIncident, readIncidents } from '../../incidents.ts'

/** What this process writes into Redis of what it notices. */
export interface Notes {
  /** Reads the open incidents; to be called before each look. */
  read(): Promise<void>
  /** Notes what a look has shown: each once, said by the one process that was first. What Redis refuses is tried again. */
  note(noticed: readonly Incident[]): Promise<void>
}

interface Unwritten {
  readonly incident: Incident
  /** Ids of the incidents there were before it happened. */
  readonly before: readonly string[]
  said: boolean
}

export function openNotes({ redis, telemetry }: App): Notes {
  let open: readonly OpenIncident[] = []
  let openBefore: readonly OpenIncident[] = []
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
    read: async () => {
      openBefore = open
      open = await readIncidents(redis)
    },
    note: async (noticed) => {
      const before = openBefore.map(({ id }) => id)
      for (const incident of noticed) {
        // Lines that are gone stay gone: of a generation that is one incident, until it is acknowledged.
        unwritten.push({ incident, before: incident.kind === 'ledger' ? [] : before, said: false })
      }
      if (noticed.some(({ kind }) => kind === 'data'))
        await keepIncidents(redis, [...openBefore, ...open]).catch(() => {})
      for (const note of [...unwritten]) await write(note)
    },
  }
}

/** Says once that something fails, until it works again. */
export function sayOnce({ telemetry }: App): (work: () => Promise<void>) => Promise<void> {
  let failing = false
  return async (work) => {
    try {
      await work()
      failing = false
    } catch (error) {
      if (!failing) telemetry.emit('incidentsFailed', { error: messageOf(error) })
      failing = true
    }
  }
}
