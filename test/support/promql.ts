import { parser } from '@prometheus-io/lezer-promql'

/** Holds the parts of a PromQL expression, by Prometheus' own grammar. */
export interface Expression {
  /** The text from the first place that is not PromQL; undefined if all of it is. */
  readonly wrong: string | undefined
  /** Metrics with the labels that are matched. */
  readonly selectors: readonly { readonly metric: string; readonly labels: readonly string[] }[]
  /** Labels that are grouped by, or matched on. */
  readonly grouping: readonly string[]
}

/** @param text with Grafana's variables for a range replaced by a duration */
export function readExpression(text: string): Expression {
  const expr = text.replaceAll('$__rate_interval', '5m')
  const selectors: { metric: string; labels: string[] }[] = []
  const grouping: string[] = []
  let wrong: string | undefined
  let grouped = false
  parser.parse(expr).iterate({
    enter: ({ name, type, from, to }) => {
      const word = expr.slice(from, to)
      if (type.isError) wrong ??= expr.slice(from)
      if (name === 'GroupingLabels') grouped = true
      if (name === 'Identifier') selectors.push({ metric: word, labels: [] })
      if (name === 'LabelName' && grouped) grouping.push(word)
      if (name === 'LabelName' && !grouped) selectors.at(-1)?.labels.push(word)
    },
    leave: ({ name }) => {
      if (name === 'GroupingLabels') grouped = false
    },
  })
  return { wrong, selectors, grouping }
}
