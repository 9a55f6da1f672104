import { type Panel, rows } from './panels.ts'

const [across, height] = [3, 8]
/** Width of Grafana's grid, in columns. */
const gridWidth = 24

/** Returns the dashboard as Grafana imports it, for the Prometheus that is chosen at its top. */
export function dashboardJson(): string {
  const panels: object[] = []
  let y = 0
  for (const [title, row] of Object.entries(rows)) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title,
      collapsed: false,
      gridPos: { x: 0, y, w: gridWidth, h: 1 },
      panels: [],
    })
    y += 1
    for (const [at, panel] of row.entries()) {
      const x = ((at % across) * gridWidth) / across
      panels.push({
        id: panels.length + 1,
        ...panelJson(panel),
        gridPos: { x, y: y + Math.floor(at / across) * height, w: gridWidth / across, h: height },
      })
    }
    y += Math.ceil(row.length / across) * height
  }
  return `${JSON.stringify({ ...dashboard, panels }, null, 2)}\n`
}

const datasource = { type: 'prometheus', uid: '$datasource' }

function panelJson({ title, unit, queries, about }: Panel): object {
  return {
    type: 'timeseries',
    title,
    ...(about && { description: about }),
    datasource,
    fieldConfig: {
      defaults: { unit, min: 0, custom: { fillOpacity: 10, lineWidth: 1, showPoints: 'never' } },
      overrides: [],
    },
    options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
    targets: queries.map(([expr, legendFormat], at) => ({
      refId: String.fromCharCode(65 + at),
      datasource,
      expr,
      legendFormat,
    })),
  }
}

const dashboard = {
  uid: 'order-pipeline',
  title: 'Order pipeline',
  tags: ['orders'],
  schemaVersion: 39,
  version: 1,
  editable: true,
  graphTooltip: 1,
  refresh: '10s',
  time: { from: 'now-1h', to: 'now' },
  timepicker: {},
  annotations: { list: [] },
  links: [],
  templating: {
    list: [
      {
        name: 'datasource',
        label: 'Prometheus',
        type: 'datasource',
        query: 'prometheus',
        current: {},
        hide: 0,
        refresh: 1,
      },
    ],
  },
}
