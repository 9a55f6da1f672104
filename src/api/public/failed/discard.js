// @ts-check
import { act } from '../actions.js'
import { askFor } from '../lib/dialog.js'

/**
 * Discards an order, if the operator gives a reason.
 * @param {import('./entry.js').Entry} entry
 * @returns {Promise<boolean>} true if it was discarded
 */
export async function discardEntry(entry) {
  const given = await askFor({
    title: 'Discard this order?',
    text: 'It moves to the stream of discarded orders, with your reason.',
    fields: [{ name: 'reason', label: 'Reason', maxlength: '1000' }],
    action: 'Discard',
    danger: true,
  })
  const reply = given && (await act('DELETE', `orders/invalid/${entry.id}`, { reason: given.reason }))
  return reply !== undefined
}
