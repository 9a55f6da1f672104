// @ts-check
import { read } from './actions.js'

/**
 * Reads what is wanted again and again: at once for another key, and else after some time.
 * @template T
 * @param {number} everyMs
 * @param {(key: string) => Promise<T>} load
 * @param {(reply: { value?: T, why?: string }) => void} onReply `why`: a sentence for people, in place of a value. Not called
 *   for a key that is not wanted any more
 * @returns {(key: string | undefined) => void} called each second with the key that is wanted now
 */
export function makeReading(everyMs, load, onReply) {
  /** @type {string | undefined} */
  let wanted
  let readAt = 0
  return (key) => {
    const isFresh = key === wanted && performance.now() - readAt < everyMs
    wanted = key
    if (key === undefined || isFresh) return
    readAt = performance.now()
    load(key)
      .then(
        (value) => ({ value }),
        (error) => ({ why: error.message }),
      )
      .then((reply) => {
        if (key === wanted) onReply(reply)
      })
  }
}

/**
 * @param {string} path
 * @returns {Promise<any>}
 */
export const readJson = async (path) => JSON.parse(await read(path))
