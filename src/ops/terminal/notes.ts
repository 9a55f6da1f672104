import type { Pauses } from '../../control/pauses.ts'
import { unreadText } from '../../reads/readings.ts'
import type { Status } from '../../reads/status.ts'
import { type Line, sentence } from './output.ts'
import { timeText } from './times.ts'

/** Says which figures are shown as `?`, why, and what to do. Returns no lines if all could be read. */
export function unreadLines(unread: Status['unread']): Line[] {
  if (unread.length === 0) return []
  return ['', ...unread.map((one) => sentence(unreadText(one), '  ', 'yellow')), 'See orders doctor for what to do.']
}

/** Says which components are paused, one a line. Returns no lines if all run. */
export function pausedLines(paused: Pauses, now: Date): Line[] {
  return Object.entries(paused).map(([component, { by, ts, reason }]) => {
    const since = ts === undefined ? '' : ` since ${timeText(ts, now)}`
    return sentence(`${component} is paused by ${by}${since}${reason ? ` (${reason})` : ''}.`, '  ', 'yellow')
  })
}
