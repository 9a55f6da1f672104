import { parser } from '@prometheus-io/lezer-promql'

/** A variable of Grafana for a range, and a duration of the same length. */
const range = '$__rate_interval'
const duration = '5m'.padStart(range.length, '0')

/** Returns an expression with these matchers in each of its selectors, such as `system="$system"`. */
export function filtered(expr: string, matchers: string): string {
  const places: { at: number; added: string }[] = []
  parser.parse(expr.replaceAll(range, duration)).iterate({
    enter: ({ name, from, to }) => {
      if (name === 'Identifier') places.push({ at: to, added: `{${matchers}}` })
      if (name === 'LabelMatchers') places.splice(-1, 1, { at: from + 1, added: `${matchers}, ` })
    },
  })
  return places.reduceRight((text, { at, added }) => text.slice(0, at) + added + text.slice(at), expr)
}
