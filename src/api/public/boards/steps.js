// @ts-check
import { periodName, periodText } from '../lib/days.js'
import { element, setData, show } from '../lib/dom.js'

/** @typedef {{ kind: import('../lib/days.js').PeriodKind, day: string, today: string, oldest: string }} Shown `day`: one of the period */

/**
 * Makes the name of the period that is shown, between buttons that lead to those before and after it.
 * @param {HTMLElement} place
 * @param {(by: 1 | -1, from: Shown) => void} onStep
 */
export function makeSteps(place, onStep) {
  /** @type {Shown | undefined} */
  let shown
  const name = element('span', { class: 'period' })
  const [earlier, later] = [makeStep('‹', -1), makeStep('›', 1)]
  const steps = element('div', { class: 'steps' }, earlier, name, later)
  place.append(steps)

  /**
   * @param {string} sign
   * @param {1 | -1} by
   */
  function makeStep(sign, by) {
    const button = element('button', { type: 'button', class: 'step' }, sign)
    button.addEventListener('click', () => {
      if (shown && button.getAttribute('aria-disabled') === 'false') onStep(by, shown)
    })
    return button
  }

  /** @param {Shown} [now] undefined for all time */
  function draw(now) {
    shown = now
    setData(steps, 'idle', !now)
    if (!now) return
    const { kind, day, today, oldest } = now
    const current = periodName(kind, day)
    show(name, periodText(kind, day, today), current)
    earlier.setAttribute('aria-label', `The ${kind} before`)
    later.setAttribute('aria-label', `The ${kind} after`)
    earlier.setAttribute('aria-disabled', String(current <= oldest))
    later.setAttribute('aria-disabled', String(current >= periodName(kind, today)))
  }
  return { draw }
}
