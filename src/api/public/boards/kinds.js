// @ts-check
import { element } from '../lib/dom.js'

/** @typedef {import('../lib/days.js').PeriodKind} PeriodKind */
/** @typedef {'all' | PeriodKind} Choice */

/** @type {Readonly<Record<Choice, string>>} */
const words = { all: 'All time', day: 'Day', week: 'Week', month: 'Month' }

/**
 * Makes radio buttons for all time and the kinds of periods.
 * @param {HTMLElement} place
 * @param {(choice: Choice) => void} onChoose
 */
export function makeKinds(place, onChoose) {
  const group = element('fieldset', { class: 'switch' }, element('legend', { class: 'unseen' }, 'Period'))
  place.append(group)
  let drawn = ''

  /**
   * @param {PeriodKind[]} kinds
   * @param {PeriodKind} [chosen] undefined for all time
   */
  function draw(kinds, chosen) {
    /** @type {Choice[]} */
    const choices = ['all', ...kinds]
    if (drawn !== choices.join()) {
      drawn = choices.join()
      for (const old of group.querySelectorAll('label')) old.remove()
      group.append(...choices.map((choice) => radio(choice, () => onChoose(choice))))
    }
    for (const input of group.querySelectorAll('input')) input.checked = input.value === (chosen ?? 'all')
  }
  return { draw }
}

/**
 * @param {Choice} choice
 * @param {() => void} onchange
 */
function radio(choice, onchange) {
  const input = element('input', { type: 'radio', name: 'period', value: choice, onchange })
  return element('label', {}, input, element('span', {}, words[choice]))
}
