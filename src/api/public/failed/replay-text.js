// @ts-check
import { exact } from '../lib/format.js'

/**
 * The result of a replay.
 * @typedef {object} Result
 * @property {boolean} [cancelled]
 * @property {number} sent
 * @property {number} admitted
 * @property {number} [corrected] corrections of orders
 * @property {number} duplicate
 * @property {number} conflict
 * @property {number} returned
 * @property {Record<string, number>} rejected orders by code
 */

/** @param {Result} result */
export const failedAgain = ({ conflict, rejected }) =>
  Object.values(rejected).reduce((sum, count) => sum + count, conflict)

/** @param {Result} result */
function codesIn({ rejected }) {
  const codes = Object.entries(rejected).map(([code, count]) => `${code} ${exact(count)}`)
  return codes.length > 0 ? ` (${codes.join(', ')})` : ''
}

/**
 * Counts the orders and corrections that keep the rules.
 * @param {Result} result
 */
export const passed = ({ admitted, corrected = 0 }) => admitted + corrected

/** @param {Result} result */
export function rehearsed(result) {
  const known = result.duplicate > 0 ? `, ${exact(result.duplicate)} are duplicates` : ''
  const stages = result.returned > 0 ? ` and ${exact(result.returned)} their stage` : ''
  const before = result.cancelled ? 'Cancelled before its end. ' : ''
  return `${before}${exact(passed(result))} would pass the rules${stages}${known}, ${exact(failedAgain(result))} would not${codesIn(result)}. Nothing was sent.`
}

/**
 * @param {Result} result
 * @param {number} [asked] orders that the replay was to send
 */
export function replayed(result, asked = result.sent) {
  const of = asked > result.sent ? ` of ${exact(asked)}` : ''
  const parts = [
    `${exact(result.sent)}${of} sent: ${exact(result.admitted)} admitted`,
    ...(result.corrected ? [`${exact(result.corrected)} corrections`] : []),
    ...(result.duplicate > 0 ? [`${exact(result.duplicate)} duplicates`] : []),
    ...(result.returned > 0 ? [`${exact(result.returned)} returned to their stage`] : []),
    `${exact(failedAgain(result))} failed again${codesIn(result)}`,
  ]
  return `${result.cancelled ? 'Cancelled: what was not sent stays. ' : ''}${parts.join(', ')}.`
}
