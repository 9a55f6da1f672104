// @ts-check
import { number } from '../lib/format.js'

/**
 * Compares the last minute with the one before. Orders fail by chance too, so two counts differ only if their difference is
 * above what chance makes likely: 1.5 times the root of their sum.
 * @param {number} now
 * @param {number} before
 */
export function trendOf(now, before) {
  if (Math.abs(now - before) <= 1.5 * Math.sqrt(now + before)) return 'steady'
  return now > before ? 'rising' : 'falling'
}

/** @param {{ last_minute: number, minute_before: number }} group */
export function trendText({ last_minute: now, minute_before: before }) {
  return now > 0 ? `${number(now)} in the last minute, ${trendOf(now, before)}, ` : ''
}
