import { readFileSync } from 'node:fs'
import type { Change } from './change.ts'
import type { Result } from './state.ts'

/** A change that no test can catch, or need not: by file and both lines, so that it may move within its file. */
export interface Accepted {
  readonly file: string
  readonly before: string
  readonly after: string
  readonly why: string
}

export const readAccepted = (): Accepted[] =>
  JSON.parse(readFileSync(new URL('accepted.json', import.meta.url), 'utf8')) as Accepted[]

/** Of the changes that change what the code does, this many of a hundred must be caught. */
export const requiredPercent = 95

export interface Report {
  readonly text: string
  readonly percent: number
}

/** A table by file, then each survivor; the figure is caught ÷ (all − accepted), and 0 if no change was judged. */
export function reportOf(
  changes: readonly Change[],
  results: Record<string, Result>,
  accepted: readonly Accepted[],
): Report {
  const judged = changes.filter(({ id }) => results[id])
  const survivors = judged.filter(({ id }) => results[id]?.outcome === 'survived')
  const reasonOf = ({ file, before, after }: Change): string | undefined =>
    accepted.find((one) => one.file === file && one.before === before && one.after === after)?.why
  const open = survivors.filter((change) => reasonOf(change) === undefined)
  const counted = judged.length - (survivors.length - open.length)
  const caught = judged.length - survivors.length
  const percent = judged.length === 0 ? 0 : counted === 0 ? 100 : (100 * caught) / counted
  const lines = [
    ...fileTable(judged, results, reasonOf),
    '',
    ...survivors.flatMap((change) => [
      `${reasonOf(change) === undefined ? 'survived' : 'accepted'} ${change.id} ${change.file}:${change.line} ${change.kind}`,
      `  - ${change.before}`,
      `  + ${change.after}`,
      ...[reasonOf(change)].filter((why) => why !== undefined).map((why) => `  why: ${why}`),
    ]),
    '',
    `${judged.length} of ${changes.length} changes judged, ${caught} caught (${countsOf(judged, results)}), ${open.length} survived, ${survivors.length - open.length} accepted: ${percent.toFixed(1)} % caught, ${requiredPercent} % required`,
  ]
  return { text: lines.join('\n'), percent }
}

function countsOf(judged: readonly Change[], results: Record<string, Result>): string {
  const count = (outcome: Result['outcome']): number =>
    judged.filter(({ id }) => results[id]?.outcome === outcome).length
  const mean = judged.reduce((sum, { id }) => sum + (results[id]?.ms ?? 0), 0) / Math.max(judged.length, 1)
  return `${count('caught')} by tests, ${count('types')} by types, ${count('timed out')} timed out; ${(mean / 1000).toFixed(1)} s each`
}

function fileTable(
  judged: readonly Change[],
  results: Record<string, Result>,
  reasonOf: (change: Change) => string | undefined,
): string[] {
  const files = [...new Set(judged.map(({ file }) => file))].toSorted()
  const width = Math.max(...files.map((file) => file.length), 4)
  const row = (file: string, cells: readonly (string | number)[]): string =>
    `${file.padEnd(width)}${cells.map((cell) => String(cell).padStart(11)).join('')}`
  const rows = files.map((file) => {
    const own = judged.filter((change) => change.file === file)
    const survivors = own.filter(({ id }) => results[id]?.outcome === 'survived')
    const allowed = survivors.filter((change) => reasonOf(change) !== undefined).length
    return row(file, [own.length - survivors.length, survivors.length - allowed, allowed])
  })
  return [row('file', ['caught', 'survived', 'no effect']), ...rows]
}
