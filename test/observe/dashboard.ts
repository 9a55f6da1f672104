/** A query of the Grafana dashboard. */
export interface PanelQuery {
  readonly panel: string
  readonly legend: string
  readonly expr: string
}

interface Dashboard {
  readonly panels: readonly {
    readonly title: string
    readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
  }[]
}

/** Returns every query of a dashboard, with Grafana's variables filled in. @param rate the range of a rate, as `10s` */
export function dashboardQueries(file: string, { system, rate }: { system: string; rate: string }): PanelQuery[] {
  const { panels } = JSON.parse(file) as Dashboard
  const filled = (expr: string): string =>
    expr.replaceAll('$system', system).replaceAll('$instance', '.*').replaceAll('$__rate_interval', rate)
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr, legendFormat }) => ({ panel: title, legend: legendFormat, expr: filled(expr) })),
  )
}
