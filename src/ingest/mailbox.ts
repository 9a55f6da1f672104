/** First in, first out; who takes waits for what is put. */
export interface Mailbox<T> {
  put(letter: T): void
  /** @throws when the signal aborts */
  next(signal: AbortSignal): Promise<T>
  /** Those at the front that are accepted, without waiting. */
  takeWhile(accept: (letter: T) => boolean): T[]
}

export function mailbox<T>(): Mailbox<T> {
  const letters: T[] = []
  const waiting: ((letter: T) => void)[] = []
  return {
    put: (letter) => {
      const taker = waiting.shift()
      if (taker) taker(letter)
      else letters.push(letter)
    },
    next: (signal) => {
      signal.throwIfAborted()
      if (letters.length > 0) return Promise.resolve(letters.shift() as T)
      return new Promise((resolve, reject) => {
        const giveUp = (): void => {
          waiting.splice(waiting.indexOf(taker), 1)
          reject(signal.reason)
        }
        const taker = (letter: T): void => {
          signal.removeEventListener('abort', giveUp)
          resolve(letter)
        }
        waiting.push(taker)
        signal.addEventListener('abort', giveUp, { once: true })
      })
    },
    takeWhile: (accept) => {
      const end = letters.findIndex((letter) => !accept(letter))
      return letters.splice(0, end === -1 ? letters.length : end)
    },
  }
}
