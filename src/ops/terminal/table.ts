import { printable, printableId } from './printable.ts'
import { cutTo, defaultWidth } from './wrapped.ts'

/** With it a row of a name and two numbers fits 80 columns. */
const maxName = 32
/** A first column is never cut to less. */
const minFirst = 8
const gap = '  '

/** Returns a name as it is shown in a table: safe to print, and cut if it is long. */
export const shortName = (name: string): string => cutTo(maxName, printableId(name))

/**
 * Aligns rows in columns as wide as their widest cell: the first to the left, the others to the right. The first one is cut
 * if the rows would not fit 80 columns.
 */
export function table(cells: readonly (readonly string[])[]): string[] {
  const rows = cells.map((row) => row.map(printable))
  const widths = widthsOf(rows)
  const others = widths.slice(1).reduce((sum, width) => sum + gap.length + width, 0)
  const first = Math.min(widths[0] ?? 0, Math.max(minFirst, defaultWidth - others))
  return rows.map((row) =>
    row
      .map((cell, at) => (at === 0 ? cutTo(first, cell).padEnd(first) : cell.padStart(widths[at] ?? 0)))
      .join(gap)
      .trimEnd(),
  )
}

/** Aligns facts: labels, and behind the longest of them the values. */
export function factLines(facts: readonly (readonly [label: string, value: string])[]): string[] {
  const width = Math.max(...facts.map(([label]) => printable(label).length))
  return facts.map(([label, value]) => `${printable(label).padEnd(width)}${gap}${printable(value)}`.trimEnd())
}

/** Does the same for rows of numbers. If they do not fit 80 columns, columns become rows. */
export function turnedTable(cells: readonly (readonly string[])[]): string[] {
  const width = widthsOf(cells).reduce((sum, width) => sum + gap.length + width, -gap.length)
  if (width <= defaultWidth) return table(cells)
  return table((cells[0] ?? []).map((_, column) => cells.map((row) => row[column] ?? '')))
}

const widthsOf = (rows: readonly (readonly string[])[]): number[] =>
  (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
