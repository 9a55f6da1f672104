import { refuse, type Special } from './route.ts'

/**
 * Runs a read when its turn has come. Whoever leaves before its turn makes room for another.
 * @param signal aborts when the client leaves
 * @returns what was read; a 503 where too many wait
 * @throws the signal's reason
 */
export type InTurn = <T>(signal: AbortSignal, read: () => Promise<T>) => Promise<T | Special>

/** @param underWay how many may run or wait */
function openTurns({ atOnce, underWay: maxUnderWay }: { atOnce: number; underWay: number }): InTurn {
  const underWay = new Set<AbortSignal>()
  const waiting: (() => void)[] = []
  let running = 0
  return async (signal, read) => {
    if (underWay.size >= maxUnderWay) return refuse(503, tooMany, { 'Retry-After': '1' })
    const leave = (): void => void underWay.delete(signal)
    underWay.add(signal)
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
export const scanInTurn = openTurns({ atOnce: 1, underWay: 10 })

/** Reads of as much as 8 MB, or of some hundred replies: four keep Redis busy while this process writes replies, and hold some 100 MB at most. */
export const listInTurn = openTurns({ atOnce: 4, underWay: 500 })
