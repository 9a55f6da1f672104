// @ts-check
import { element, find, keep, setData, show } from './lib/dom.js'
import { explainValue, label } from './lib/explain.js'
import { duration, exact, money, number, shortMoney } from './lib/format.js'

/** @typedef {import('../live/snapshot.ts').Snapshot} Snapshot */
/** @typedef {import('./lib/dom.js').Kind} Kind */
/** @typedef {{ name: string, text: string, note: string, detail: string, kind?: Kind }} Fact `note` stands below the text */

const list = find('#totals')

/** @param {Snapshot} snapshot */
export function drawTotals({ totals, critical, currency, decimals }) {
  /**
   * @param {string} name
   * @param {number | null} value
   * @param {string} detail
   * @param {Kind} [kind]
   * @returns {Fact}
   */
  const count = (name, value, detail, kind) => ({
    name,
    text: number(value),
    note: number(value) === exact(value) || value === null ? '' : exact(value),
    detail: `${exact(value)} ${detail}`,
    kind,
  })
  const { replayed } = totals
  const revenue = money(totals.revenue_minor, { currency, decimals })
  const shortRevenue = shortMoney(totals.revenue_minor, { currency, decimals })
  /** @type {Fact[]} */
  const facts = [
    count('Orders counted', totals.counted, 'orders counted'),
    { name: 'Revenue', text: shortRevenue, note: revenue === shortRevenue ? '' : revenue, detail: revenue },
    count('Waiting', totals.waiting, 'orders wait for a stage'),
    {
      name: 'From SQS to rank',
      text: duration(critical.p50_ms),
      note: `p99 ${duration(critical.p99_ms)}`,
      detail: critical.p50_ms === null ? '' : `p50 ${exact(critical.p50_ms)} ms, p99 ${exact(critical.p99_ms)} ms`,
    },
    count(
      'Received',
      totals.received,
      replayed ? `orders received, ${exact(replayed)} of them replayed` : 'orders received',
    ),
    ...(totals.corrected ? [count('Corrections', totals.corrected, 'cancellations, refunds and amendments')] : []),
    count('Duplicates', totals.duplicates, 'orders that were received before'),
    count('Rejected', totals.rejected, 'orders rejected'),
    count(
      'Failed now',
      totals.invalid,
      'orders in the invalid channel',
      (totals.invalid ?? 0) > 0 ? 'warn' : undefined,
    ),
  ]
  keep(list, facts, ({ name }) => name, {
    make: ({ name }) =>
      element(
        'div',
        {},
        element('dt', {}, label('totals', name)),
        element('dd', {}, element('span'), element('small')),
      ),
    draw: (fact, { name, text, note, detail, kind }) => {
      show(find('dd > span', fact), text, detail)
      show(find('dd > small', fact), note)
      explainValue(find('.label', fact), 'totals', name, detail)
      setData(fact, 'kind', kind)
    },
  })
}
