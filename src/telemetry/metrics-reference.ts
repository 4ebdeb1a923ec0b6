/** The tables of metrics and labels in `docs/observability.md`, made of what instruments are made of. */
import type { MetricDescription } from './metric-descriptions.js'
import { LABELS, METRICS, prometheusName } from './metric-descriptions.js'

/** Between these lines the page is generated. */
const BEGIN = '<!-- Generated from src/telemetry/metric-descriptions.ts by `npm run docs`. -->'
const END = '<!-- Until here. -->'

/** The page with its tables made anew. @throws TypeError where it has no place for them */
export function withMetricTables(page: string): string {
  const from = page.indexOf(BEGIN)
  const to = page.indexOf(END)
  if (from === -1 || to < from) throw new TypeError('the page lacks the marks of its tables')
  return `${page.slice(0, from)}${BEGIN}\n\n${metricTables()}\n${page.slice(to)}`
}

function metricTables(): string {
  const metrics = Object.values(METRICS).map((it: MetricDescription) => [
    `\`${prometheusName(it)}\``,
    it.kind,
    it.unit === '' ? '' : it.unit === 's' ? 'seconds' : 'bytes',
    it.description,
    it.labels.map((label) => `\`${labelName(label)}\``).join(', '),
  ])
  const labels = Object.entries(LABELS).map(([label, meaning]) => [
    `\`${labelName(label)}\``,
    meaning,
  ])
  return [
    table([['Metric', 'Kind', 'Unit', 'Meaning', 'Labels'], ...metrics]),
    table([['Label', 'Meaning'], ...labels]),
  ].join('\n')
}

/** As Prometheus has it. */
function labelName(label: string): string {
  return label.replaceAll('.', '_')
}

/** Aligned as prettier does it, so that formatting the page changes nothing. */
function table([head = [], ...rows]: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)),
  )
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |\n`
  const rule = line(widths.map((width) => '-'.repeat(width)))
  return [head, ...rows].map(line).toSpliced(1, 0, rule).join('')
}
