/** Formats the time of a screen that is drawn again and again: `01:12:45 UTC`. */
export const clockText = (time: Date): string => `${time.toISOString().slice(11, 19)} UTC`

const units = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
] as const

/** Formats how long ago a time was: `3 min ago`. Returns '' for a text that is no time. */
export function agoText(time: string | number, now: Date): string {
  const ms = now.getTime() - new Date(time).getTime()
  if (Number.isNaN(ms)) return ''
  const seconds = Math.max(0, Math.floor(ms / 1_000))
  const [unit, length] = units.find(([, length]) => seconds >= length) ?? ['s', 1]
  return `${Math.floor(seconds / length)} ${unit} ago`
}

/** Formats a time as it is stored, and how long ago that was: `2026-11-28T15:18:16.335Z, 3 min ago`. */
export const timeText = (time: string, now: Date): string => [time, agoText(time, now)].filter(Boolean).join(', ')
