import { printable } from './printable.ts'

/** The width of a terminal that every command can count on. */
const columns = 80

/** Breaks a sentence into lines of at most 80 characters, at spaces. A longer word stays whole: it may be an id to copy. */
export function wrapped(text: string, indent = ''): string[] {
  const lines: string[] = []
  for (const word of printable(text).split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(lines.length === 0 ? word : indent + word)
  }
  return lines
}

/** Cuts text to a number of columns, and ends it with … then. */
export function cutTo(width: number, text: string): string {
  const shown = printable(text)
  return shown.length > width ? `${shown.slice(0, width - 1).toWellFormed()}…` : shown
}
