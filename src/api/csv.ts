/** A reply as a table: a cell is text, a number or the exact text of one (RawJson). */
export interface Table {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly unknown[])[]
}

export const csvType = 'text/csv'

/** Writes a table as CSV by RFC 4180, with a line of names first. A text that looks like a formula gets a `'` in front. */
export function csvText({ columns, rows }: Table): string {
  return [columns, ...rows].map((row) => `${row.map(cell).join(',')}\r\n`).join('')
}

/** A spreadsheet takes a text that begins so, blanks aside, for a formula and runs it. Anyone can send such a text. */
const formula = /^[\s\p{C}]*[=+\-@＝＋－＠]/u

function cell(value: unknown): string {
  if (value === undefined || value === null) return ''
  const text = typeof value === 'string' ? value.replace(formula, "'$&") : JSON.stringify(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
