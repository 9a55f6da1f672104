import type { Chain } from '../../reads/archive/chains.ts'
import { removalsIn } from '../../reads/archive/segments.ts'
import type { Segment } from '../../stages/archive/manifest.ts'

/** An erasure changes records, and takes none out. The old object is gone, so its line is what is left to compare with. */
const kept = ['first', 'last', 'entries', 'orders', 'records'] as const satisfies readonly (keyof Segment)[]

/** Compares the segments that erasures have written with those whose places they took. Returns a sentence for each that differs. */
export function oddReplacements(chains: readonly Chain[]): string[] {
  const lines = chains.flatMap(({ lines, abandoned }) => [...lines, ...abandoned])
  const segments = lines.flatMap((line) => ('segment' in line && line.segment) || [])
  const byName = new Map(segments.map((segment) => [segment.name, segment]))
  return removalsIn(chains).flatMap(({ kind, removes, segment }) => {
    const old = byName.get(removes)
    if (kind !== 'erased' || !segment || !old) return []
    const odd = kept.filter((field) => old[field] !== segment[field])
    return odd.map((field) => `The segment ${segment.name} has other ${field} than ${removes}, whose place it took.`)
  })
}
