import type { LiveSegment } from '../../reads/archive/segments.ts'
import { compareIds } from '../../stream-id.ts'

interface Seen extends LiveSegment {
  readonly ids: ReadonlySet<string>
}

/** Compares segments that come in the order of `byFirst` with those before whose ranges reach into theirs. */
export function openOverlaps(): { add(one: Seen): string[] } {
  let open: readonly Seen[] = []
  return {
    add: (one) => {
      const { partition, segment } = one
      open = open.filter((other) => other.partition === partition && compareIds(other.segment.last, segment.first) >= 0)
      const odd = open.flatMap((other) => {
        const both = [...one.ids].filter((id) => other.ids.has(id))
        return both.slice(0, 3).map((id) => `The entry ${id} is in ${other.segment.name} and in ${segment.name}.`)
      })
      open = [...open, one]
      return odd
    },
  }
}

/** Sorts the segments of each partition by their first entries. Where Redis lost a chain, two chains may have the same entries. */
export const byFirst = (segments: readonly LiveSegment[]): LiveSegment[] =>
  segments.toSorted((one, other) =>
    one.partition === other.partition
      ? compareIds(one.segment.first, other.segment.first)
      : Number(one.partition > other.partition) * 2 - 1,
  )
