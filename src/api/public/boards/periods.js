// @ts-check
import { periodName, stepped } from '../lib/days.js'
import { makeKinds } from './kinds.js'
import { makeSteps } from './steps.js'

/** @typedef {NonNullable<import('../../live/snapshot.ts').Snapshot['calendar']>} Calendar */
/** @typedef {import('../lib/days.js').PeriodKind} PeriodKind */

/** This browser keeps the kind of period that was chosen last. */
const storageKey = 'orders-period'

/**
 * Makes the switch of the leaderboards: of all time, or of a day, week or month, and from there to those before it.
 * @param {HTMLElement} place
 * @param {() => void} onChange
 */
export function makePeriods(place, onChange) {
  let chosen = localStorage.getItem(storageKey)
  /** @type {string | undefined} A day of the period that is shown; undefined for the current one. */
  let past

  const kinds = makeKinds(place, (kind) => {
    chosen = kind
    past = undefined
    localStorage.setItem(storageKey, kind)
    onChange()
  })
  const steps = makeSteps(place, (by, { kind, day, today }) => {
    const next = stepped(kind, day, by)
    past = periodName(kind, next) === periodName(kind, today) ? undefined : next
    onChange()
  })

  /**
   * Draws the switch, by the calendar as it is now.
   * @param {Calendar | undefined} calendar undefined if this system keeps none
   * @returns {string | undefined} the name of the period that is chosen; undefined for all time
   */
  function draw(calendar) {
    place.hidden = !calendar
    if (!calendar) return undefined
    const { today, periods } = calendar
    const { kind, oldest } = periods.find((one) => one.kind === chosen) ?? {}
    kinds.draw(
      periods.map((one) => one.kind),
      kind,
    )
    const shown = kind && oldest !== undefined ? { kind, oldest, today, day: past ?? today } : undefined
    steps.draw(shown)
    return shown && periodName(shown.kind, shown.day)
  }
  return { draw }
}
