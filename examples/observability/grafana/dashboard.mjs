// The Grafana dashboard as it is maintained. `npm run docs` writes it to ../dashboard.json, and
// test/src/telemetry/dashboard.test.ts holds the two against each other.
import { overview } from './overview.mjs'
import { DATASOURCE } from './panels.mjs'
import { SERVER } from './queries.mjs'
import { state } from './state.mjs'
import { whoAndWhat } from './who-and-what.mjs'

const variable = (name, label, metric, of) => ({
  type: 'query',
  name,
  label,
  datasource: DATASOURCE,
  query: { query: `label_values(${metric}, ${of})`, refId: name },
  definition: `label_values(${metric}, ${of})`,
  refresh: 2,
  sort: 1,
  multi: true,
  includeAll: true,
  allValue: '.*',
  current: { selected: true, text: ['All'], value: ['$__all'] },
})

/** Rows from the top down, panels from left to right. */
function layOut() {
  const laid = []
  let y = 0
  for (const [title, panels] of Object.entries({ ...overview, ...whoAndWhat, ...state })) {
    laid.push({
      type: 'row',
      title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y: y++, w: 24, h: 1 },
    })
    let x = 0
    let tallest = 0
    for (const { width, height, ...rest } of panels) {
      if (x + width > 24) [x, y, tallest] = [0, y + tallest, 0]
      laid.push({ ...rest, gridPos: { x, y, w: width, h: height } })
      x += width
      tallest = Math.max(tallest, height)
    }
    y += tallest
  }
  return laid.map((it, index) => ({ id: index + 1, ...it }))
}

export const dashboard = {
  uid: 'mcp-junction',
  title: 'MCP Junction',
  description:
    'Which MCP traffic runs here, from whom, to where, how fast, how often wrong, and what was denied.',
  tags: ['mcp'],
  schemaVersion: 39,
  version: 1,
  editable: true,
  graphTooltip: 1,
  timezone: 'browser',
  refresh: '10s',
  time: { from: 'now-15m', to: 'now' },
  templating: {
    list: [
      {
        type: 'datasource',
        name: 'DS_PROMETHEUS',
        label: 'Prometheus',
        query: 'prometheus',
        current: {},
        hide: 0,
        refresh: 1,
      },
      variable('target', 'Target', 'mcp_junction_target_up', 'target'),
      variable('method', 'Method', `${SERVER}_count`, 'mcp_method_name'),
      variable('tool', 'Tool', `${SERVER}_count`, 'gen_ai_tool_name'),
      variable('principal', 'Principal', `${SERVER}_count`, 'mcp_junction_principal'),
    ],
  },
  annotations: {
    list: [
      {
        name: 'Reloads',
        datasource: DATASOURCE,
        enable: true,
        iconColor: 'blue',
        expr: 'sum by (outcome) (changes(mcp_junction_config_reloads_total[1m])) > 0',
        titleFormat: 'configuration {{outcome}}',
      },
    ],
  },
  links: [],
  panels: layOut(),
}
