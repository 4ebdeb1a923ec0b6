import { describe, expect, it } from 'vitest'
import { Operations } from '../../../src/telemetry/operations.js'
import { operation } from '../../support/operations.js'

const unexpected = (error: unknown): void => expect.unreachable(String(error))

describe('records of what was asked', () => {
  it('reach whoever listens, and the newest are kept', () => {
    const operations = new Operations(unexpected, 3)
    const heard: number[] = []
    operations.subscribe((records) => heard.push(...records.map((it) => it.at)))
    for (const at of [1, 2, 3, 4]) operations.record(operation({ at }))
    expect(operations.recent().map((it) => it.at)).toEqual([2, 3, 4])
    expect(heard).toEqual([1, 2, 3, 4])
  })

  it('are told together, without anybody asking for them', async () => {
    const operations = new Operations(unexpected)
    const heard = new Promise<readonly number[]>((resolve) => {
      operations.subscribe((records) => resolve(records.map((it) => it.at)))
    })
    for (const at of [1, 2, 3]) operations.record(operation({ at }))
    await expect(heard).resolves.toEqual([1, 2, 3])
  })

  it('are told at once where many wait', () => {
    const operations = new Operations(unexpected)
    let heard = 0
    operations.subscribe((records) => (heard += records.length))
    for (let count = 0; count < 1_000; count++) operations.record(operation())
    expect(heard).toBeGreaterThan(900)
    operations.flush()
    expect(heard).toBe(1_000)
  })

  it('reach the others where one who listens fails', () => {
    const told: unknown[] = []
    const operations = new Operations((error) => told.push(error))
    let heard = 0
    operations.subscribe(() => {
      throw new TypeError('a fault')
    })
    operations.subscribe(() => heard++)
    operations.record(operation())
    operations.flush()
    expect(heard).toBe(1)
    expect(told).toEqual([new TypeError('a fault')])
  })

  it('are all heard where there are very many, and kept in part, but for those that failed', () => {
    const operations = new Operations(unexpected)
    let heard = 0
    operations.subscribe((records) => (heard += records.length))
    for (let count = 0; count < 1_000; count++) operations.record(operation({ at: 5 }))
    operations.record(operation({ at: 5, outcome: 'failed' }))
    operations.record(operation({ at: 1_000 }))
    const kept = operations.recent()
    expect(heard).toBe(1_002)
    expect(kept).toHaveLength(102)
    expect(kept.at(-2)?.kind.outcome).toBe('failed')
    expect(kept.at(-1)?.at).toBe(1_000)
  })
})
