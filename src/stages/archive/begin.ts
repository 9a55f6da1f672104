import { randomBytes } from 'node:crypto'
import type { PartitionScope } from '../../app.ts'
import { type Appended, append } from './append.ts'
import { type Head, type LineContent, manifestPrefix, parseLine, parseLineName, partitionName } from './manifest.ts'
import type { ObjectStore } from './store/object-store.ts'
import { readObject } from './store/store.ts'

type Scope = Pick<PartitionScope, 'redis' | 'keys' | 'pipeline'>

/**
 * Begins a chain behind a head, or does nothing where the chain has gone on.
 * @param after what `newestIn` has returned: the order of the lines shows which chains Redis has lost, and clocks differ
 * @param follows where Redis has gone back to an earlier line of another
 */
export async function beginChain(
  scope: Scope,
  behind: Head,
  after: string | undefined,
  follows?: Head,
): Promise<Appended> {
  const { chain, seq, head } = behind
  return await append(scope, { chain, seq, head }, { content: beginning(scope, follows), after })
}

function beginning({ keys }: Pick<Scope, 'keys'>, follows: Head | undefined): LineContent {
  const chain = `${stamp(new Date())}-${randomBytes(4).toString('hex')}`
  const from = follows && { chain: follows.chain, seq: follows.seq, head: follows.head }
  return { kind: 'begin', chain, partition: partitionName(keys), ...(from && { follows: from }) }
}

const stamp = (at: Date): string => at.toISOString().replaceAll(/[-:]|\.\d+/g, '')

/**
 * Returns when the newest line of the store was committed, also of those that Redis has lost; undefined if it has none.
 * In a chain each line is later than the one before it. So the last one is read, and those that share a number.
 */
export async function newestIn(store: Pick<ObjectStore, 'list' | 'get'>): Promise<string | undefined> {
  const last = new Map<string, { seq: number; names: string[] }>()
  const forks: string[] = []
  for await (const { name } of store.list(manifestPrefix)) {
    const found = parseLineName(name)
    if (!found) continue
    const before = last.get(found.chain)
    if (before && before.seq === found.seq) before.names.push(name)
    else last.set(found.chain, { seq: found.seq, names: [name] })
    if (before && before.seq !== found.seq && before.names.length > 1) forks.push(...before.names)
  }
  const names = [...forks, ...[...last.values()].flatMap((one) => one.names)]
  const times = await Promise.all(names.map(async (name) => timeOf(await readObject(store, name))))
  return times
    .filter((time) => time !== undefined)
    .sort()
    .at(-1)
}

/** Undefined for a line that is gone or damaged: who reads the chains finds that, and the archive goes on. */
function timeOf(text: Buffer | undefined): string | undefined {
  try {
    return text && parseLine(text.toString(), 'An object').at
  } catch {
    return undefined
  }
}
