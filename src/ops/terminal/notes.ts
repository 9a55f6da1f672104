import type { Pauses } from '../../control/pauses.ts'
import { unreadText } from '../../reads/readings.ts'
import type { Status } from '../../reads/status.ts'

/** Says which figures are shown as `?`, why, and what to do. Returns no lines if all could be read. */
export function unreadLines(unread: Status['unread']): string[] {
  if (unread.length === 0) return []
  return ['', ...unread.map(unreadText), 'See orders doctor for what to do.']
}

/** Says which components are paused, one a line. Returns no lines if all run. */
export function pausedLines(paused: Pauses): string[] {
  return Object.entries(paused).map(([component, { by, ts, reason }]) =>
    [`${component} is paused by ${by}`, ts && ` since ${ts}`, reason && ` (${reason})`, '.'].filter(Boolean).join(''),
  )
}
