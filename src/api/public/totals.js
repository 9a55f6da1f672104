import { element, keep, setData, show } from './lib/dom.js'
import { duration, exact, money, number, shortMoney } from './lib/format.js'

const list = document.querySelector('#totals')

export function drawTotals({ totals, critical }) {
  const count = (name, value, detail, kind) => ({
    name,
    text: number(value),
    detail: `${exact(value)} ${detail}`,
    kind,
  })
  const facts = [
    count('Orders counted', totals.counted, 'orders counted'),
    { name: 'Revenue', text: shortMoney(totals.revenue_minor), detail: money(totals.revenue_minor) },
    count('Waiting', totals.waiting, 'orders wait for a stage'),
    {
      name: 'From SQS to rank',
      text: duration(critical.p50_ms),
      note: `p99 ${duration(critical.p99_ms)}`,
      detail: critical.p50_ms === null ? '' : `p50 ${exact(critical.p50_ms)} ms, p99 ${exact(critical.p99_ms)} ms`,
    },
    count('Received', totals.received, 'orders received'),
    count('Duplicates', totals.duplicates, 'orders that had come before'),
    count('Rejected', totals.rejected, 'orders rejected'),
    count('Failed now', totals.invalid, 'orders in the invalid channel', totals.invalid > 0 ? 'warn' : undefined),
  ]
  keep(list, facts, ({ name }) => name, {
    make: ({ name }) =>
      element('div', {}, element('dt', {}, name), element('dd', {}, element('span'), element('small'))),
    draw: (fact, { text, note = '', detail, kind }) => {
      const [value, small] = fact.lastChild.children
      show(value, text, detail)
      show(small, note, detail)
      setData(fact, 'kind', kind)
    },
  })
}
