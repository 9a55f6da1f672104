// @ts-check
import { askJob } from '../job-dialog.js'
import { orders } from '../lib/format.js'

/**
 * Replays all orders of a group's code, after a dry run.
 * @param {{ code: string, all: readonly { count: number }[] }} group
 */
export async function askReplay({ code, all }) {
  const count = all.reduce((sum, group) => sum + group.count, 0)
  const others = all.length > 1 ? `, for all ${all.length} reasons of that code` : ''
  await askJob({
    title: `Replay ${code}`,
    about: [`A replay requeues all ${orders(count)} of code ${code}${others}.`],
    path: 'orders/replay',
    body: { code },
    name: `replay of ${code}`,
    stop: 'Stop the replay',
    running: 'Requeuing.',
    go: `Replay ${orders(count)}`,
    goAnyway: 'Replay all the same',
  })
}
