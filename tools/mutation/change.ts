import { createHash } from 'node:crypto'

/** A replaced stretch of one line: offsets into the file's text. */
export interface Edit {
  readonly start: number
  readonly end: number
  readonly to: string
  /** The kind of change, such as `comparison` or `dropped statement`. */
  readonly kind: string
}

/** A one-line change of a source file. */
export interface Change extends Edit {
  /** A hash of the file and both lines: it survives a move of the line within its file. */
  readonly id: string
  readonly file: string
  /** Counted from 1. */
  readonly line: number
  /** The whole line before and after, without indentation. */
  readonly before: string
  readonly after: string
}

/** Names an edit of a file. */
export function changeOf(file: string, text: string, edit: Edit): Change {
  const from = text.lastIndexOf('\n', edit.start - 1) + 1
  const newline = text.indexOf('\n', edit.start)
  const to = newline === -1 ? text.length : newline
  const before = text.slice(from, to).trim()
  const after = `${text.slice(from, edit.start)}${edit.to}${text.slice(edit.end, to)}`.trim()
  const id = createHash('sha256')
    .update(JSON.stringify([file, before, after]))
    .digest('hex')
    .slice(0, 8)
  return { ...edit, id, file, line: text.slice(0, from).split('\n').length, before, after }
}

export const applied = (text: string, { start, end, to }: Edit): string => text.slice(0, start) + to + text.slice(end)
