import type { App } from '../../app.ts'
import { type Incident, keepIncidents, type Noted, noteIncident, readNoted } from '../../control/incidents.ts'
import { messageOf } from '../../errors.ts'

/** Records the incidents that this process finds in Redis. */
export interface Notes {
  /** Reads the open incidents, scans, and records what the scan finds. Each is recorded and logged by one process only. */
  of(scan: () => Promise<readonly Incident[]>): Promise<void>
}

interface Unwritten {
  readonly incident: Incident
  /** Ids of the incidents that were open before it happened. */
  readonly before: readonly string[]
  isReported: boolean
}

/** Opens the notes of one kind of scan. A note that Redis refuses is written again after the next scan. */
export function openNotes({ redis, telemetry }: App): Notes {
  let before: Noted = { open: [], ids: [] } // as they were at the last successful scan
  const unwritten: Unwritten[] = []
  const report = (note: Unwritten): void => {
    if (!note.isReported) telemetry.emit('incident', { kind: note.incident.kind, text: note.incident.text })
    note.isReported = true
  }
  const write = async (note: Unwritten): Promise<void> => {
    try {
      if (await noteIncident(redis, note.incident, note.before)) report(note)
    } catch (error) {
      report(note) // a full Redis takes no note, so the log has it at least
      throw error
    }
    unwritten.splice(unwritten.indexOf(note), 1)
  }
  return {
    of: async (scan) => {
      const noted: Noted = await readNoted(redis).catch(() => before) // the key may have another type: scan all the same
      const noticed = await scan()
      const { ids } = before
      for (const incident of noticed) {
        // Lost records stay lost: they are one incident per generation until it is acknowledged.
        unwritten.push({ incident, before: incident.kind === 'ledger' ? [] : ids, isReported: false })
      }
      if (noticed.some(({ kind }) => kind === 'data'))
        await keepIncidents(redis, [...before.open, ...noted.open]).catch(() => {})
      before = noted
      for (const note of [...unwritten]) await write(note)
      // Includes the incidents written just now, which the next scan must know.
      if (noticed.length > 0) before = await readNoted(redis).catch(() => noted)
    },
  }
}

/** Reports a failure once until the work succeeds again. */
export function reportOnce({ telemetry }: App): (work: () => Promise<void>, signal: AbortSignal) => Promise<void> {
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
