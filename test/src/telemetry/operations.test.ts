import { describe, expect, it } from 'vitest'
import { Operations } from '../../../src/telemetry/operations.js'
import { operation } from '../../support/operations.js'

describe('records of what was asked', () => {
  it('reach whoever listens, and the newest are kept', () => {
    const operations = new Operations(3)
    const heard: number[] = []
    operations.subscribe(({ at }) => heard.push(at))
    for (const at of [1, 2, 3, 4]) operations.record(operation({ at }))
    expect(heard).toEqual([1, 2, 3, 4])
    expect(operations.recent().map((it) => it.at)).toEqual([2, 3, 4])
  })

  it('are all heard where there are very many, and kept in part, but for those that failed', () => {
    const operations = new Operations()
    let heard = 0
    operations.subscribe(() => void heard++)
    for (let count = 0; count < 1_000; count++) operations.record(operation({ at: 5 }))
    operations.record(operation({ at: 5, outcome: 'failed' }))
    operations.record(operation({ at: 1_000 }))
    expect(heard).toBe(1_002)
    const kept = operations.recent()
    expect(kept).toHaveLength(102)
    expect(kept.at(-2)?.outcome).toBe('failed')
    expect(kept.at(-1)?.at).toBe(1_000)
  })
})
