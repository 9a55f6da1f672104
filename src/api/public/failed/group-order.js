// @ts-check
import { childrenOf } from '../lib/dom.js'

/** @typedef {import('../../live/snapshot.ts').Snapshot['failed'][number]} Failed */

/** @param {Failed} group */
export const keyOf = ({ code, reason }) => `${code} ${reason}`

/**
 * Keeps the order of the groups while one of them is open, has the focus or is under the pointer, so that none moves away
 * under the hands.
 * @param {HTMLElement} list
 * @param {readonly Failed[]} failed most frequent first
 */
export function steady(list, failed) {
  if (!list.querySelector('details[open], :focus, :hover')) return failed
  const places = new Map(childrenOf(list).map(({ dataset }, at) => [dataset['key'], at]))
  /** @param {Failed} group */
  const placeOf = (group) => places.get(keyOf(group)) ?? places.size
  return failed.toSorted((a, b) => placeOf(a) - placeOf(b))
}
