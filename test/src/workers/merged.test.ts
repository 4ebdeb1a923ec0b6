import { describe, expect, it } from 'vitest'
import type { Readiness } from '../../../src/http/health.js'
import { mergedMetrics, mergedReadiness } from '../../../src/workers/merged.js'

const up = (more: Partial<Readiness> = {}): Readiness => ({
  ready: true,
  targets: [{ target: 'a', ready: true }],
  sources: [],
  ...more,
})
const circuit = {
  state: 'open',
  since: '',
  until: '',
  reason: 'unreachable',
  ejections: 1,
} as const

describe('metrics of several workers', () => {
  it('stand together, described once, each with its number, whatever their labels hold', () => {
    const said = [
      { worker: 1, what: '# HELP a A.\n# TYPE a counter\na{t="x}{ y"} 1\n# HELP b B.\nb 2\n' },
      { worker: 2, what: '# HELP b B.\nb 4 1700000000000\n# HELP a A.\n# TYPE a counter\na{} 3\n' },
    ]
    expect(mergedMetrics(said)).toBe(
      [
        '# HELP a A.',
        '# TYPE a counter',
        'a{worker="1",t="x}{ y"} 1',
        'a{worker="2"} 3',
        '# HELP b B.',
        'b{worker="1"} 2',
        'b{worker="2"} 4 1700000000000',
        '',
      ].join('\n'),
    )
  })
})

describe('readiness of several workers', () => {
  const wanted = { wanted: 2, serving: [2], isStopping: false }

  it('is that of all who are wanted', () => {
    const both = [1, 2].map((worker) => ({ worker, what: up() }))
    expect(mergedReadiness(both, wanted)).toMatchObject({
      ready: true,
      targets: [{ target: 'a', ready: true }],
    })
    expect(mergedReadiness(both, { ...wanted, isStopping: true })).toMatchObject({ ready: false })
    expect(mergedReadiness(both.slice(1), wanted)).toMatchObject({
      ready: false,
      workers: [
        { worker: 1, ready: false, reason: 'not started' },
        { worker: 2, ready: true },
      ],
    })
    expect(mergedReadiness(both.slice(0, 1), wanted)).toMatchObject({
      workers: [{}, { worker: 2, ready: false, reason: 'no answer' }],
    })
  })

  it('shows a target as it is where it is worst', () => {
    const down = { target: 'a', ready: false, reason: 'unreachable' }
    const said = [
      { worker: 1, what: up({ targets: [{ target: 'a', ready: true, circuit }] }) },
      { worker: 2, what: up({ targets: [down] }) },
    ]
    expect(mergedReadiness(said, wanted).targets).toEqual([{ ...down, worker: 2 }])
    expect(mergedReadiness(said.slice(0, 1), wanted).targets).toMatchObject([
      { worker: 1, circuit },
    ])
  })
})
