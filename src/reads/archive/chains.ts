import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { type Line, manifestPrefix, noHash, parseLine, parseLineName, sha256 } from '../../stages/archive/manifest.ts'
import type { ObjectStore } from '../../stages/archive/store/object-store.ts'
import { readObject } from '../../stages/archive/store/store.ts'
import { readTail, type Tail } from '../../stages/archive/tail.ts'
import { type ChainLines, headsIn } from './heads.ts'

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
  const tails = app ? await readTails(app) : []
  const parsed = parseAll(await readStored(store, known), tails)
  const heads = headsIn(parsed, tails)
  const inOrder = parsed.toSorted((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1))
  return inOrder.map((one) => chainOf(one, heads.get(one.chain) ?? noHash, tails))
}

/**
 * Returns whether the store alone will say which lines count, as far as it can, if no more come. Redis may go on meanwhile.
 * @param known as of `readChains`
 */
export async function isKnownAlone(
  store: Pick<ObjectStore, 'list' | 'get'>,
  app: Pick<App, 'redis' | 'partitions'>,
  known: KnownLines,
): Promise<boolean> {
  const sources = await readStored(store, known)
  const tails = await readTails(app) // the store first: else its newer lines would look as if Redis had lost them
  const parsed = parseAll(sources, tails)
  const [ending, alone] = [headsIn(parsed, tails, true), headsIn(parsed, [])]
  return parsed.every(({ chain }) => ending.get(chain) === alone.get(chain))
}

const readTails = ({ redis, partitions }: Pick<App, 'redis' | 'partitions'>): Promise<(Tail | undefined)[]> =>
  Promise.all(partitions.map((keys) => readTail({ redis, keys })))

/** A chain without lines is one whose objects were deleted after they were listed. */
function parseAll(sources: Map<string, Source>, tails: readonly (Tail | undefined)[]): Parsed[] {
  for (const tail of tails) addTail(sources, tail)
  return [...sources.values()].filter(({ texts }) => texts.size > 0).map(parseTexts)
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

interface Parsed extends ChainLines, Omit<Source, 'texts'> {}

function parseTexts({ texts, ...source }: Source): Parsed {
  const lines = [...texts].map(([hash, text]): [string, Line] => [
    hash,
    parseLine(text, `An object of the chain ${source.chain}`),
  ])
  return { ...source, byHash: new Map(lines) }
}

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
const nameOf = ({ chain, byHash }: Parsed): string =>
  `${byHash.values().find((line) => line.kind === 'begin')?.at} ${chain}`
