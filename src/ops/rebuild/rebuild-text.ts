import { countText } from '../../reads/count-text.ts'
import { amountText, countOf, ordersText } from '../terminal/numbers.ts'
import { type Line, sentence, yellow } from '../terminal/output.ts'
import { printableId } from '../terminal/printable.ts'
import { table } from '../terminal/table.ts'
import { hashKinds } from './compare/scope.ts'
import type { Comparison, Flipped } from './flip/flip.ts'
import { gapText, rejectedText } from './flip/refusal-text.ts'
import { comparisonOf } from './reply.ts'
import type { Built } from './session.ts'

const kindNames = {
  users: 'users',
  days: 'days',
  months: 'months of users',
  totals: 'totals',
  others: 'keys of own stages',
} as const

/** Says how much was read, and how fast. */
export function readLine({ records, tookMs, build }: Pick<Built, 'records' | 'tookMs' | 'build'>): string {
  if (records === 0) return `Nothing new in ${build.archive.name}.`
  const rate = countText(Math.round(records / Math.max(0.001, tookMs / 1_000)))
  return `${countText(records)} orders and corrections read from ${build.archive.name}: ${rate} a second.`
}

/** Examples that are printed; JSON has more. */
const maxShown = 5

/** Says what differs. */
export function comparisonLines(built: Pick<Built, 'records' | 'build'>, comparison: Comparison): Line[] {
  const { decimals } = built.build.format.money
  const money = (amount: number): string => amountText(Math.round(amount * 10 ** decimals), { decimals })
  const found = comparisonOf(comparison, built.records, built.build.format.money)
  const kinds = hashKinds.map((kind) => [kind, found.keys[kind]] as const)
  const rows = kinds
    .filter(([, { compared }]) => compared > 0)
    .map(([kind, { compared, different }]) => [kindNames[kind], countText(compared), countText(different)])
  const { scores, total_orders: orders, total_revenue: revenue } = found
  const wrong = scores.users + scores.periods
  return [
    ...table([['compared', 'keys', 'different'], ...rows]),
    ...(wrong > 0 ? [`${countText(wrong)} scores on leaderboards are not those of their users.`] : []),
    ...found.examples.slice(0, maxShown).map(({ key, lacks }) => {
      const each = Object.entries(lacks).map(([field, by]) => `${field} ${by > 0 ? '+' : ''}${by}`)
      return sentence(`  ${printableId(key)}: ${each.join(', ') || 'no number'}`, '    ')
    }),
    ...(orders && revenue
      ? [
          `Total: ${ordersText(orders.now, '?')}, ${money(revenue.now)}; by the archive ${ordersText(orders.built, '?')}, ${money(revenue.built)}.`,
        ]
      : []),
    ...Object.entries(found.before ?? {}).map(([field, by]) =>
      sentence(`What came before the calendar began is wrong: ${field} ${by > 0 ? '+' : ''}${by}.`),
    ),
    ...Object.entries(found.lacks).flatMap(([stage, records]) => lackLine(stage, records)),
    ...(found.equal
      ? []
      : [
          ...[...comparison.gaps]
            .filter(([stage]) => (comparison.lacks.get(stage) ?? 0) >= 0)
            .map(([stage, gap]) => gapText(stage, gap)),
          ...[...comparison.rejected].map(([stage]) => rejectedText(stage, comparison)),
        ].map((text) => yellow(sentence(text)))),
    found.equal ? 'Everything is as the archive says.' : yellow(sentence('Not everything is as the archive says.')),
  ]
}

function lackLine(stage: string, records: number): Line[] {
  if (records === 0) return []
  if (records > 0) return [`${stage} lacks ${countText(records)} orders and corrections that the archive has.`]
  const text = `${stage} has counted ${countText(-records)} orders and corrections that the archive does not have.`
  return [yellow(sentence(`${text} They would be forgotten, so there is no flip.`))]
}

/** Says what a flip did. */
export function flippedLines({ keys, maxMs }: Flipped, keep: string | undefined): Line[] {
  const kept = keep === undefined ? [] : [`orders rebuild --undo ${keep} takes it back, for a day.`]
  return [`Flipped: ${countOf(keys, 'key')} corrected; no step took longer than ${Math.ceil(maxMs)} ms.`, ...kept]
}
