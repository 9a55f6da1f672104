import { refuse, type Special } from './reply.ts'

interface Caller {
  /** Aborts when the client disconnects. */
  readonly signal: AbortSignal
  /** Its address. */
  readonly client: string
}

/**
 * Runs a read when its turn comes. A client that disconnects while it waits makes room for the next one.
 * @returns what was read, or a 503 if too many reads wait
 * @throws the signal's reason
 */
export type InTurn = <T>(caller: Caller, read: () => Promise<T>) => Promise<T | Special>

/** Queues for expensive reads, one per kind. */
export interface Turns {
  /** Reads that scan a stream. */
  readonly scan: InTurn
  /** Reads of long lists. */
  readonly list: InTurn
}

/**
 * Opens the queues of one API.
 * scan: each reads as much as 80 MB and delays every other client's reads, so one runs at a time. Ten of 200 ms reply
 * within two seconds.
 * list: each reads as much as 8 MB or a few hundred replies. Four keep Redis busy while this process writes replies, and
 * hold some 100 MB at most.
 */
export const openTurns = (): Turns => ({
  scan: openQueue({ atOnce: 1, perClient: 10 }),
  list: openQueue({ atOnce: 4, perClient: 500 }),
})

interface Limits {
  readonly atOnce: number
  /** Reads of one client that may run or wait. All clients together may have twice as many, so no client takes every place. */
  readonly perClient: number
}

function openQueue({ atOnce, perClient }: Limits): InTurn {
  const underWay = new Map<AbortSignal, string>()
  const waiting: (() => void)[] = []
  let running = 0
  return async ({ signal, client }, read) => {
    const own = [...underWay.values()].filter((other) => other === client).length
    if (underWay.size >= 2 * perClient || own >= perClient) return refuse(503, tooMany, { 'Retry-After': '1' })
    const leave = (): void => void underWay.delete(signal)
    underWay.set(signal, client)
    signal.addEventListener('abort', leave, { once: true })
    if (running < atOnce) running++
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      signal.throwIfAborted()
      return await read()
    } finally {
      leave()
      const next = waiting.shift()
      if (next) next()
      else running--
    }
  }
}

const tooMany = 'Too many reads of this kind are under way: try again in a moment.'

/** The same, for the API document. */
export const tooManyReads = { 503: 'Redis does not answer, or too many reads of this kind are under way.' }
