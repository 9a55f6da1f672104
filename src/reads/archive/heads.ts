import { type Line, layoutIn, noHash } from '../../stages/archive/manifest.ts'
import type { Tail } from '../../stages/archive/tail.ts'

/** The lines of a chain by SHA-256, also those that Redis has lost. */
export interface ChainLines {
  readonly chain: string
  readonly partition: string
  readonly byHash: ReadonlyMap<string, Line>
}

/** Where a chain ends if no other one follows it. */
interface End {
  readonly one: ChainLines
  /** SHA-256 of its last line. */
  readonly hash: string
  /** When it began and ended. */
  readonly from: string
  readonly to: string
}

/** A part of Redis' history: chains of a partition, of which each follows the one before it. */
interface Path {
  readonly partition: string
  readonly chains: ReadonlySet<string>
  /** Of all of its chains. */
  readonly lines: readonly Line[]
  /** When its first chain began. */
  readonly from: string
  /** True if Redis goes on with it: whatever began meanwhile, Redis has lost. */
  readonly isOpen: boolean
}

/**
 * Returns the hash of the last line of each chain; `noHash` for one that does not count, as Redis has lost it whole.
 * Redis has one history. It goes on from its tails, else from the latest line that the store has, and each chain goes back to
 * those that it follows. What began after that and is not among them was lost when Redis went back. It counts if that is not
 * sure: the orders of a chain that is hidden are missing, and no check would find them.
 * @param areEnding true for what the store alone will say, once the tails have ended later than every line
 */
export function headsIn(
  chains: readonly ChainLines[],
  tails: readonly (Tail | undefined)[],
  areEnding = false,
): Map<string, string> {
  const heads = new Map<string, string>()
  const paths: Path[] = []
  const byName = new Map(chains.map((one) => [one.chain, one]))
  const ends = chains.map((one) => endOf(one, tails))
  for (const end of ends.sort((one, other) => Number(other.to > one.to) - Number(one.to > other.to))) {
    if (heads.has(end.one.chain)) continue // a later chain follows it
    const before = [...backFrom(end, byName)]
    if (paths.some((path) => excludes(path, end, before))) {
      heads.set(end.one.chain, noHash)
      continue
    }
    const known = before.findIndex(({ one }) => heads.has(one.chain))
    const own = known < 0 ? before : before.slice(0, known)
    for (const { one, head } of own) heads.set(one.chain, head)
    paths.push({ ...pathOf(end.one, own), isOpen: end.to === endOfTime && !areEnding })
  }
  return heads
}

function endOf(one: ChainLines, tails: readonly (Tail | undefined)[]): End {
  const from = beginOf(one)?.at ?? ''
  const tail = tails.find((found) => found?.chain === one.chain)
  if (tail) return { one, hash: tail.head, from, to: endOfTime }
  const [hash, { at }] = [...one.byHash].reduce((last, found) => (found[1].seq > last[1].seq ? found : last))
  return { one, hash, from, to: at }
}

/** Later than every line. */
const endOfTime = '~'

const beginOf = ({ byHash }: ChainLines) => byHash.values().find((line) => line.kind === 'begin')

/** A chain, up to the line with this hash. */
interface Part {
  readonly one: ChainLines
  readonly head: string
}

/** Yields a chain, and those that it follows. */
function* backFrom({ one, hash }: End, byName: ReadonlyMap<string, ChainLines>): Iterable<Part> {
  const seen = new Set<ChainLines>()
  let [at, head]: [ChainLines | undefined, string] = [one, hash]
  while (at && !seen.has(at)) {
    seen.add(at)
    yield { one: at, head }
    const follows = beginOf(at)?.follows
    head = follows?.head ?? noHash
    at = byName.get(follows?.chain ?? '')
  }
}

function pathOf({ partition }: ChainLines, parts: readonly Part[]): Omit<Path, 'isOpen'> {
  const first = parts.at(-1)
  const from = (first && beginOf(first.one)?.at) ?? ''
  return { partition, from, chains: new Set(parts.map(({ one }) => one.chain)), lines: parts.flatMap(linesOf) }
}

/** Follows the lines back from the last, up to one that is missing. */
function linesOf({ one, head }: Part): Line[] {
  const lines: Line[] = []
  for (let line = one.byHash.get(head); line; line = one.byHash.get(line.previous)) lines.push(line)
  return lines
}

/** Returns whether a chain was lost, as Redis was on the path when the chain began, and is or was on it later. */
function excludes(path: Path, { one, from, to }: End, before: readonly Part[]): boolean {
  const isOther = one.partition !== path.partition && layoutIn(one.partition) === layoutIn(path.partition)
  if (isOther || from <= path.from) return false
  if (path.isOpen || before.some((part) => path.chains.has(part.one.chain))) return true
  // Two systems that write to one archive write alternately; one that went back does not.
  return !path.lines.some(({ at }) => at > from && at < to)
}
