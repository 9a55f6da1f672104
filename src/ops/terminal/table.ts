import { printable, printableId } from './printable.ts'

/** With it a row of a name and two numbers fits 80 columns. */
const maxName = 32

/** Returns a name as it is shown in a table: safe to print, and cut if it is long. */
export function shortName(name: string): string {
  const text = printableId(name)
  return text.length > maxName ? `${text.slice(0, maxName - 1)}…` : text
}

/** Aligns rows in columns as wide as their widest cell: the first to the left, the others to the right. */
export function table(cells: readonly (readonly string[])[]): string[] {
  const rows = cells.map((row) => row.map(printable))
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  '),
  )
}
