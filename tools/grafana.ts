import { filtered } from './grafana-filters.ts'
import { type Panel, rows } from './panels.ts'

const [across, height] = [3, 8]
/** Width of Grafana's grid, in columns. */
const gridWidth = 24

/** Returns the dashboard as Grafana imports it, for the Prometheus and the system that are chosen at its top. */
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

/** A system without the label is shown where the variable has no value. */
const ofSystem = 'system="$system"'
const ofProcesses = `${ofSystem}, instance=~"$instance"`
const datasource = { type: 'prometheus', uid: '$datasource' }

function panelJson({ title, unit, queries, about, exemplars }: Panel): object {
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
      expr: filtered(expr, legendFormat.includes('{{instance}}') ? ofProcesses : ofSystem),
      legendFormat,
      ...(exemplars && { exemplar: true }),
    })),
  }
}

/** A variable whose values are those of a label now. */
function labelVariable(name: string, label: string, series: string, options: object): object {
  const query = `label_values(${series}, ${name})`
  return {
    ...{ name, label, type: 'query', datasource, definition: query, query: { query, refId: name }, ...options },
    ...{ current: {}, hide: 0, refresh: 2, sort: 1 },
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
      labelVariable('system', 'System', 'up{job="orders"}', {}),
      labelVariable('instance', 'Process', `up{job="orders", ${ofSystem}}`, {
        multi: true,
        includeAll: true,
        allValue: '.*',
      }),
    ],
  },
}
