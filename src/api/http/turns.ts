import { type Call, refuse, type Special } from './handler.ts'

/**
 * Runs a read when its turn has come. Whoever leaves before its turn makes room for another.
 * @param call whose signal aborts when the client leaves
 * @returns what was read; a 503 where too many wait
 * @throws the signal's reason
 */
export type InTurn = <T>(call: Pick<Call, 'signal' | 'client'>, read: () => Promise<T>) => Promise<T | Special>

interface Turns {
  readonly atOnce: number
  /** How many of one client may run or wait. All together may have twice as many: no client takes every place. */
  readonly perClient: number
}

function openTurns({ atOnce, perClient }: Turns): InTurn {
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

/** For the description of the API. */
export const tooManyReads = { 503: 'Redis does not answer, or too many reads of this kind are under way.' }

/**
 * Reads that look through a stream, in this process: each reads as much as 80 MB, and everybody else's reads wait
 * meanwhile. Ten of 200 ms have their replies within two seconds.
 */
export const scanInTurn = openTurns({ atOnce: 1, perClient: 10 })

/** Reads of as much as 8 MB, or of some hundred replies: four keep Redis busy while this process writes replies, and hold some 100 MB at most. */
export const listInTurn = openTurns({ atOnce: 4, perClient: 500 })
