import { printable } from './printable.ts'

/** Columns of a terminal that does not say how wide it is. */
export const defaultWidth = 80
/** A narrower one would show a word a line. */
const minWidth = 20

/** Breaks a text into lines of at most this width, at spaces. A longer word stays whole: it may be an id to copy. */
export function wrapped(text: string, { width = defaultWidth, indent = '' } = {}): string[] {
  const limit = Math.max(width, minWidth)
  const lines: string[] = []
  for (const word of printable(text).split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= limit) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(lines.length === 0 ? word : indent + word)
  }
  return lines
}

/** Cuts text to a number of columns, and ends it with … then. */
export function cutTo(width: number, text: string): string {
  const shown = printable(text)
  return shown.length > width ? `${shown.slice(0, width - 1).toWellFormed()}…` : shown
}
