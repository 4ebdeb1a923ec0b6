import { readFile, writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { LABELS, METRICS } from '../../../src/telemetry/metric-descriptions.js'
import { withMetricTables } from '../../../src/telemetry/metrics-reference.js'

const PAGE = new URL('../../../docs/observability.md', import.meta.url)

describe('docs/observability.md', () => {
  it('lists the metrics that there are, and what their labels mean', async () => {
    const page = await readFile(PAGE, 'utf8')
    if (process.env['UPDATE_DOCS'] === '1') await writeFile(PAGE, withMetricTables(page))
    const text = await readFile(PAGE, 'utf8')
    expect(text, 'run `npm run docs`').toBe(withMetricTables(text))
  })

  it('explains no label that no metric has', () => {
    const labels = new Set(Object.values(METRICS).flatMap((it): readonly string[] => it.labels))
    expect(Object.keys(LABELS).filter((it) => !labels.has(it))).toEqual([])
  })
})
