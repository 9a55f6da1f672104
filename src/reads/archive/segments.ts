import { type Line, partitionIn, type Segment } from '../../stages/archive/manifest.ts'
import type { Chain } from './chains.ts'

/** A segment that counts, and its chain. */
export interface LiveSegment {
  readonly segment: Segment
  readonly chain: string
  readonly partition: string
}

export type Removal = Extract<Line, { removes: string }>

/** Returns all lines that take out a segment, which count also where Redis has lost them: those come first. */
export const removalsIn = (chains: readonly Chain[]): Removal[] =>
  [...chains.flatMap(({ abandoned }) => abandoned), ...chains.flatMap(({ lines }) => lines)].filter(isRemoval)

const isRemoval = (line: Line): line is Removal => 'removes' in line

/**
 * Returns a function that finds what is in the place of a segment now: itself, or what took its place; undefined if there is
 * nothing. The order of the lines does not matter. Where two have taken out the same segment, one that Redis has not lost decides.
 */
export function placesIn(chains: readonly Chain[]): (segment: Segment) => Segment | undefined {
  const insteadOf = new Map(removalsIn(chains).map(({ removes, segment }) => [removes, segment]))
  return (segment) => {
    let found: Segment | undefined = segment
    while (found && insteadOf.has(found.name)) found = insteadOf.get(found.name)
    return found
  }
}

/** Returns the segments that count. Those of a chain are in the order in which they were committed. */
export function liveSegments(chains: readonly Chain[]): LiveSegment[] {
  const inPlaceOf = placesIn(chains)
  return chains.flatMap(({ chain, partition, lines }) =>
    lines.flatMap((line) => {
      const segment = line.kind === 'segment' ? inPlaceOf(line.segment) : undefined
      return segment ? [{ segment, chain, partition }] : []
    }),
  )
}

/**
 * Returns the segments that do not count, as Redis has lost their lines, and that no line has taken out. Their objects stay,
 * so that they can count again: no line is a proof for all times.
 */
export function lostSegments(chains: readonly Chain[]): LiveSegment[] {
  const live = liveSegments(chains).map(({ segment }) => segment.name)
  const others = new Set([...live, ...removalsIn(chains).map(({ removes }) => removes)])
  const lost = new Map<string, LiveSegment>()
  for (const { chain, lines, abandoned } of chains) {
    for (const line of [...lines, ...abandoned]) {
      const segment = 'segment' in line ? line.segment : undefined
      if (!segment || others.has(segment.name)) continue
      lost.set(segment.name, { segment, chain, partition: partitionIn(segment.name) })
    }
  }
  return [...lost.values()]
}

/** Names of objects, by what the lines say about them. */
export interface NamedObjects {
  /** Taken out by a line that the store has: no failover of Redis brings them back, so they may be deleted. */
  readonly removed: ReadonlySet<string>
  /** Those that count, or would again if Redis lost a line that it alone has. */
  readonly needed: ReadonlySet<string>
  /** All that a line names. */
  readonly named: ReadonlySet<string>
}

/** Returns the names of the objects that lines name. */
export function namedObjects(chains: readonly Chain[]): NamedObjects {
  const unstored = new Set(chains.flatMap((chain) => chain.unstored))
  const removals = removalsIn(chains)
  const removed = new Set(removals.filter((line) => !unstored.has(line)).map(({ removes }) => removes))
  const all = chains.flatMap(({ lines, abandoned }) => [...lines, ...abandoned])
  const live = liveSegments(chains).map(({ segment }) => segment.name)
  const maybe = removals.map(({ removes }) => removes).filter((name) => !removed.has(name))
  return {
    removed,
    needed: new Set([...live, ...maybe]),
    named: new Set(all.flatMap((line) => ('segment' in line && line.segment ? line.segment.name : []))),
  }
}
