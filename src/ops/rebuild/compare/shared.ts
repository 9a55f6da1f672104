import type { Difference } from '../../reconcile/difference.ts'
import type { Compared } from './compare.ts'

/**
 * Leaves out the differences of months whose days are right over all partitions. A repartition puts what was counted before
 * into the days of the first partition, and their sums into its books. Then each partition differs, and together none does.
 */
export function leaveOutMoved(all: readonly Compared[]): void {
  const months = new Set(all.flatMap((one) => [...partsOf(one).keys()]))
  const moved = new Set([...months].filter((month) => isMoved(all.map((one) => partsOf(one).get(month) ?? noPart))))
  for (const one of all) {
    const { keys, differences } = one
    for (const name of differences.keys()) if (moved.has(monthOfDay(one, name) ?? '')) differences.delete(name)
    const books = differences.get(keys.calendarBooks)
    if (!books) continue
    const add = new Map([...books.add].filter(([field]) => !moved.has(monthOfField(field))))
    if (add.size === 0 && isReadable(books)) differences.delete(books.key)
    else differences.set({ ...books, add })
  }
}

/** Says what a partition lacks of a month: in its days, by day and field, and in the books of the calendar. */
interface Part {
  readonly days: ReadonlyMap<string, number>
  readonly books: ReadonlyMap<string, number>
  /** False if something is no number. */
  readonly isReadable: boolean
}
const noPart: Part = { days: new Map(), books: new Map(), isReadable: true }

const monthLength = '2026-11'.length
const monthOfField = (field: string): string => field.slice(0, monthLength)

function monthOfDay({ keys }: Pick<Compared, 'keys'>, name: string): string | undefined {
  const prefix = keys.day('')
  return name.startsWith(prefix) ? name.slice(prefix.length, prefix.length + monthLength) : undefined
}

function partsOf(compared: Compared): Map<string, Part> {
  const parts = new Map<string, { days: Map<string, number>; books: Map<string, number>; isReadable: boolean }>()
  const of = (month: string) => {
    const part = parts.get(month) ?? { days: new Map(), books: new Map(), isReadable: true }
    parts.set(month, part)
    return part
  }
  for (const difference of compared.differences.values()) {
    const { key: name } = difference
    const month = monthOfDay(compared, name)
    if (month !== undefined) {
      const part = of(month)
      part.isReadable &&= isReadable(difference)
      const day = name.slice(compared.keys.day('').length)
      for (const [field, by] of difference.add) part.days.set(`${day} ${field}`, by)
    } else if (name === compared.keys.calendarBooks) {
      for (const [field, by] of difference.add) of(monthOfField(field)).books.set(field.slice(monthLength + 1), by)
    }
  }
  return parts
}

const isReadable = ({ odd, isReplaced }: Difference): boolean => odd.length === 0 && !isReplaced

/** Returns true if all partitions together lack nothing, and the books of each lack what its days do. */
function isMoved(parts: readonly Part[]): boolean {
  const isWhole = (['days', 'books'] as const).every((of) => {
    const fields = new Set(parts.flatMap((part) => [...part[of].keys()]))
    return [...fields].every((field) => parts.reduce((sum, part) => sum + (part[of].get(field) ?? 0), 0) === 0)
  })
  return (
    isWhole &&
    parts.every(({ days, books, isReadable }) =>
      ['orders', 'revenue'].every((what) => {
        const each = [...days].filter(([field]) => field.endsWith(` ${what}`))
        return isReadable && each.reduce((sum, [, by]) => sum + by, 0) === (books.get(what) ?? 0)
      }),
    )
  )
}
