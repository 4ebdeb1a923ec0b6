/** The dashboard, the rules and the compose file of examples/observability, as far as they can be read without running them. */
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { format } from 'prettier'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { dashboard } from '../../../examples/observability/grafana/dashboard.mjs'
import { METRICS, prometheusName } from '../../../src/telemetry/metric-descriptions.js'
import {
  metricsIn,
  OBSERVABILITY,
  readDashboard,
  readRules,
} from '../../support/example-dashboard.js'

const FILE = join(OBSERVABILITY, 'dashboard.json')
const RULES = join(OBSERVABILITY, '../kubernetes/monitoring/rules.yaml')
const PROMETHEUS_RULE = `# Generated from examples/observability/alerts.yaml by \`npm run docs\`.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: mcp-junction
  labels:
    app.kubernetes.io/name: mcp-junction
spec:
`
/** Metrics there are, by the names that queries have for them. */
const KNOWN = new Set(
  Object.values(METRICS).flatMap((it) => {
    const name = prometheusName(it)
    const parts = ['bucket', 'sum', 'count'].map((part) => `${name}_${part}`)
    return it.kind === 'histogram' ? parts : [name]
  }),
)

describe('the dashboard', () => {
  it('is what its source says', async () => {
    const text = await format(JSON.stringify(dashboard), { parser: 'json', printWidth: 100 })
    if (process.env['UPDATE_DOCS'] === '1') await writeFile(FILE, text)
    expect(await readFile(FILE, 'utf8'), 'run `npm run docs`').toBe(text)
  })

  it('asks for metrics that there are, of all that there are', async () => {
    const { panels, annotations } = await readDashboard()
    const exprs = panels.flatMap((it) => it.targets ?? []).map((it) => it.expr)
    const used = new Set([...exprs, ...annotations.list.map((it) => it.expr)].flatMap(metricsIn))
    expect([...used].filter((it) => !KNOWN.has(it))).toEqual([])
    const described = Object.values(METRICS).map(prometheusName)
    const unused = described.filter((it) => ![...used].some((name) => name.startsWith(it)))
    expect(unused).toEqual([])
  })

  it('has panels that say what they show, in which unit', async () => {
    const { panels, schemaVersion } = await readDashboard()
    expect(schemaVersion).toBeGreaterThanOrEqual(39)
    expect(new Set(panels.map((it) => it.id)).size).toBe(panels.length)
    const real = panels.filter((it) => it.type !== 'row')
    expect(real.filter((it) => !/\S.*\./.test(it.description ?? ''))).toEqual([])
    const asking = real.filter((it) => it.type !== 'text')
    expect(asking.filter((it) => !it.fieldConfig?.defaults.unit)).toEqual([])
    expect(asking.filter((it) => (it.targets ?? []).length === 0)).toEqual([])
    // One series needs no name; several do.
    const lines = asking.filter((it) => it.type === 'timeseries').flatMap((it) => it.targets ?? [])
    expect(lines.filter((it) => it.legendFormat === '')).toEqual([])
  })

  it('has each panel in a place of its own', async () => {
    const { panels } = await readDashboard()
    const places = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)} ${y + Math.floor(i / w)}`),
    )
    expect(new Set(places).size).toBe(places.length)
    expect(panels.filter(({ gridPos: { x, w } }) => x + w > 24)).toEqual([])
  })

  it('has its datasource from a variable, and no place of this machine', async () => {
    const { panels, templating } = await readDashboard()
    const sources = panels.flatMap((it) => [it, ...(it.targets ?? [])])
    const uids = new Set(sources.flatMap((it) => ('datasource' in it ? [it.datasource?.uid] : [])))
    expect([...uids]).toEqual(['${DS_PROMETHEUS}'])
    expect(templating.list.map((it) => it.name)).toEqual([
      'DS_PROMETHEUS',
      'target',
      'method',
      'tool',
      'principal',
    ])
    expect(await readFile(FILE, 'utf8')).not.toMatch(/https?:|"\/|localhost|127\.0\.0\.1/)
  })
})

describe('the rules', () => {
  it('ask for metrics that there are, and say what is wrong and what to do', async () => {
    const rules = await readRules()
    const records = new Set(rules.map((it) => it.record))
    const odd = rules
      .flatMap((it) => metricsIn(it.expr))
      .filter((it) => !KNOWN.has(it) && !records.has(it) && it !== 'up')
    expect(odd).toEqual([])
    const alerts = rules.filter((it) => it.alert !== undefined)
    const said = new Set(alerts.map((it) => Object.keys(it.annotations ?? {}).join()))
    expect([...said]).toEqual(['summary,description,runbook'])
    const severities = new Set(['info', 'warning', 'critical'])
    expect(alerts.filter((it) => !severities.has(it.labels?.['severity'] ?? ''))).toEqual([])
    const text = alerts.map((it) => it.annotations?.['runbook']).join('\n')
    const pages = [...text.matchAll(/docs\/[a-z]+\.md/g)].map(([page]) => page)
    expect(pages.filter((it) => !existsSync(join(OBSERVABILITY, '../..', it)))).toEqual([])
  })

  it('are those of the Prometheus operator, too', async () => {
    const rules = await readFile(join(OBSERVABILITY, 'alerts.yaml'), 'utf8')
    const text = `${PROMETHEUS_RULE}${rules.replaceAll(/^(?=.)/gm, '  ')}`
    if (process.env['UPDATE_DOCS'] === '1') await writeFile(RULES, text)
    expect(await readFile(RULES, 'utf8'), 'run `npm run docs`').toBe(text)
    expect(parse(text)).toMatchObject({ kind: 'PrometheusRule', spec: parse(rules) as object })
  })
})
