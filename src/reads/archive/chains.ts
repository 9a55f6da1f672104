import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import {
  type Line,
  layoutIn,
  manifestPrefix,
  noHash,
  parseLine,
  parseLineName,
  sha256,
} from '../../stages/archive/manifest.ts'
import type { ObjectStore } from '../../stages/archive/store/object-store.ts'
import { readObject } from '../../stages/archive/store/store.ts'
import { readTail, type Tail } from '../../stages/archive/tail.ts'

/** A chain of the manifest, whole. */
export interface Chain {
  readonly chain: string
  /** As `3of8`; `none` without partitions. */
  readonly partition: string
  /** In the order of `seq`, from 1, without a gap. */
  readonly lines: readonly Line[]
  /** SHA-256 of the text of the last line. */
  readonly head: string
  /** True if Redis goes on with it; false if it has ended. */
  readonly isOpen: boolean
  /** Lines of the store that the last one does not follow: Redis has lost them, or they are newer. See manifest.ts. */
  readonly abandoned: readonly Line[]
  /** Those of `lines` that the store does not have yet. */
  readonly unstored: readonly Line[]
}

interface Source {
  readonly chain: string
  readonly partition: string
  /** By SHA-256. */
  readonly texts: Map<string, string>
  /** SHA-256 of those that Redis alone has. */
  readonly unstored: Set<string>
}

/** Texts of lines by the names of their objects. An object of a line never changes, so it is read once. */
export type KnownLines = Map<string, string>

/** Requests at once while the lines are read. */
const inFlight = 32

/**
 * Reads all chains from the store, and from Redis the lines that are not there yet.
 * @param app undefined to read the store alone, as after Redis was lost
 * @param known lines of earlier calls, which are not read again
 * @returns the chains in the order in which they began
 * @throws OrdersError ORD_ARCHIVE if a line is missing, or does not follow the one before it
 */
export async function readChains(
  store: Pick<ObjectStore, 'list' | 'get'>,
  app: Pick<App, 'redis' | 'partitions'> | undefined,
  known: KnownLines = new Map(),
): Promise<Chain[]> {
  // Redis first: a line leaves it only after the store has it, so that none is missed in between.
  const tails = app ? await Promise.all(app.partitions.map((keys) => readTail({ redis: app.redis, keys }))) : []
  const sources = await readStored(store, known)
  for (const tail of tails) addTail(sources, tail)
  const parsed = [...sources.values()].map(parseTexts)
  const heads = headsIn(parsed, tails)
  const inOrder = parsed.toSorted((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1))
  return inOrder.map((one) => chainOf(one, heads.get(one.chain) ?? noHash, tails))
}

function addTail(sources: Map<string, Source>, tail: Tail | undefined): void {
  if (!tail) return
  const known = sources.get(tail.chain)
  const source = known ?? sourceOf(tail)
  for (const text of tail.lines.values()) {
    const hash = sha256(text)
    if (!source.texts.has(hash)) source.unstored.add(hash)
    source.texts.set(hash, text)
  }
  sources.set(tail.chain, source)
}

const sourceOf = ({ chain, partition }: Pick<Source, 'chain' | 'partition'>): Source => ({
  ...{ chain, partition, texts: new Map(), unstored: new Set() },
})

async function readStored(store: Pick<ObjectStore, 'list' | 'get'>, known: KnownLines): Promise<Map<string, Source>> {
  const sources = new Map<string, Source>()
  const reading = new Set<Promise<void>>()
  const failures: unknown[] = []
  const read = async (name: string, texts: Map<string, string>): Promise<void> => {
    const text = known.get(name) ?? (await readObject(store, name))?.toString()
    if (text === undefined) return
    known.set(name, text)
    texts.set(sha256(text), text)
  }
  for await (const { name } of store.list(manifestPrefix)) {
    const found = parseLineName(name)
    if (!found) continue
    const source = sources.get(found.chain) ?? sourceOf(found)
    sources.set(found.chain, source)
    const work = read(name, source.texts)
      .catch((error: unknown) => void failures.push(error))
      .finally(() => reading.delete(work))
    reading.add(work)
    if (reading.size >= inFlight) await Promise.race(reading)
  }
  await Promise.all(reading)
  if (failures.length > 0) throw failures[0]
  return sources
}

/** The lines of a chain by SHA-256. */
interface Parsed extends Omit<Source, 'texts'> {
  readonly byHash: ReadonlyMap<string, Line>
}

function parseTexts({ texts, ...source }: Source): Parsed {
  const lines = [...texts].map(([hash, text]): [string, Line] => [
    hash,
    parseLine(text, `An object of the chain ${source.chain}`),
  ])
  return { ...source, byHash: new Map(lines) }
}

/** A part of Redis' history: chains of a partition, of which each follows the one before it. */
interface Path {
  readonly partition: string
  /** When its first chain began. */
  readonly from: string
}

/**
 * Returns the hash of the last line of each chain; `noHash` for one that does not count, as Redis has lost it whole.
 * Redis has one history. It goes on from its tails, else from the latest line that the store has, and each chain goes back to
 * those that it follows. What began after that and is not among them was lost when Redis went back.
 */
function headsIn(chains: readonly Parsed[], tails: readonly (Tail | undefined)[]): Map<string, string> {
  const heads = new Map<string, string>()
  const paths: Path[] = []
  const byName = new Map(chains.map((one) => [one.chain, one]))
  const ends = chains.map((one) => endOf(one, tails)).sort((one, other) => (one.at > other.at ? -1 : 1))
  for (const { chain, hash } of ends) {
    const one = byName.get(chain)
    if (!one || heads.has(chain)) continue // a later chain follows it
    const began = beginOf(one)?.at ?? ''
    if (paths.some((path) => began >= path.from && excludes(path.partition, one.partition))) {
      heads.set(chain, noHash)
      continue
    }
    let [at, head, from] = [one as Parsed | undefined, hash, began]
    while (at && !heads.has(at.chain)) {
      heads.set(at.chain, head)
      const begin = beginOf(at)
      from = begin?.at ?? from
      head = begin?.follows?.head ?? noHash
      at = byName.get(begin?.follows?.chain ?? '')
    }
    paths.push({ partition: one.partition, from })
  }
  return heads
}

/** Returns where a chain ends if no other one follows it, and when. */
function endOf({ chain, byHash }: Parsed, tails: readonly (Tail | undefined)[]) {
  const tail = tails.find((one) => one?.chain === chain)
  if (tail) return { chain, hash: tail.head, at: endOfTime }
  const [hash, { at }] = [...byHash].reduce((last, one) => (one[1].seq > last[1].seq ? one : last))
  return { chain, hash, at }
}

/** Later than every line. */
const endOfTime = '~'

const beginOf = ({ byHash }: Parsed) => byHash.values().find((line) => line.kind === 'begin')

/** Returns whether only one of two partitions can have a chain at a time: they are the same, or of two layouts. */
const excludes = (one: string, other: string): boolean => one === other || layoutIn(one) !== layoutIn(other)

/** Follows the lines back from the last. */
function chainOf(
  { chain, partition, byHash, unstored }: Parsed,
  head: string,
  tails: readonly (Tail | undefined)[],
): Chain {
  const lines: Line[] = []
  for (let hash = head; hash !== noHash; ) {
    const line = byHash.get(hash)
    if (!line) throw missing(chain, lines.at(-1))
    lines.push(line)
    hash = line.previous
  }
  lines.reverse()
  if (lines.some(({ seq }, at) => seq !== at + 1))
    throw new OrdersError('ORD_ARCHIVE', `The lines of the chain ${chain} do not count from 1.`, { details: { chain } })
  const isOpen = tails.some((tail) => tail?.chain === chain)
  const known = new Set(lines)
  return {
    chain,
    partition,
    lines,
    head,
    isOpen,
    abandoned: [...byHash.values()].filter((line) => !known.has(line)),
    unstored: [...unstored].flatMap((hash) => byHash.get(hash) ?? []),
  }
}

function missing(chain: string, after: Line | undefined): OrdersError {
  const which = after ? `Line ${after.seq - 1}` : 'The last line'
  const message = `${which} of the chain ${chain} of the manifest is missing, or was changed.`
  return new OrdersError('ORD_ARCHIVE', message, { details: { chain } })
}

/** Sorts chains as they began. */
const nameOf = (one: Parsed): string => `${beginOf(one)?.at} ${one.chain}`
