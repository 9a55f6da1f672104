import type { Pauses } from '../../control/pauses.ts'
import { countText } from '../../reads/count-text.ts'
import type { ScanCoverage } from '../../reads/locate/scan.ts'
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

/** Says how many dead letters there are, and what to type. Returns no lines if there are none, or if that is unknown. */
export function deadLetterLines(letters: Status['deadLetters'], now: Date): Line[] {
  if (!letters || letters.messages === 0) return []
  const some = `${countText(letters.messages)} ${letters.messages === 1 ? 'message is' : 'messages are'}`
  const since = letters.since === null ? '' : `, some since ${timeText(letters.since, now)}`
  return [sentence(`${some} in the dead-letter queue${since}. To look at them: orders dlq`, '  ', 'red')]
}

/** Says which streams were searched only in part, and which results are left out. */
export function coverageLines(scanned: readonly ScanCoverage[]): string[] {
  return scanned.flatMap(({ stream, entries, of, whole, more }) => [
    ...(whole
      ? []
      : [`Of ${stream} only the oldest and newest ${countText(entries)} of ${countText(of)} entries were searched.`]),
    ...(more ? [`There are more results in ${stream}: only the newest are shown.`] : []),
  ])
}
