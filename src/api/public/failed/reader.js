// @ts-check
import { olderEntry, readEntry } from './entry.js'
import { makeOrderView } from './order-view.js'

/** @typedef {import('./entry.js').Entry} Entry */
/** @typedef {{ code: string, reason: string, count: number, example: { id: string } }} Group */

/**
 * Shows the orders of a group one at a time.
 * @param {(entry: Entry | undefined) => void} onShown called with undefined while no order is shown
 */
export function makeReader(onShown) {
  const view = makeOrderView()
  /** @type {Group | undefined} */
  let group
  /** @type {Entry | undefined} */
  let shown

  /** @param {Entry} [entry] */
  function set(entry) {
    shown = entry
    if (entry) view.draw(entry)
    onShown(entry)
  }

  /** @param {string} id */
  async function open(id) {
    try {
      set(await readEntry(id))
    } catch (error) {
      set()
      view.say(messageOf(error))
    }
  }

  async function openNewest() {
    if (group && group.count > 0) await open(group.example.id)
  }

  async function openOlder() {
    if (!group || !shown) return
    try {
      const id = await olderEntry(group, shown.id)
      if (id) await open(id)
      else view.say(`There is no older order than ${shown.id}.`)
    } catch (error) {
      view.say(messageOf(error))
    }
  }

  /** Leaves an order that is gone. The group's example may be that one, until the next snapshot has another. */
  async function leave() {
    const gone = shown?.id
    set()
    view.clear('Done.')
    if (gone !== group?.example.id) await openNewest()
  }

  return {
    elements: view.elements,
    ...{ open, openNewest, openOlder, leave },
    shown: () => shown,
    /**
     * Returns true if the group has another example than the one that is gone.
     * @param {Group} next
     */
    follow: (next) => {
      const moved = shown === undefined && group !== undefined && group.example.id !== next.example.id
      group = next
      return moved
    },
  }
}

/** @param {unknown} error */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error))
