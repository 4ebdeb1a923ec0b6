import { describe, expect, it } from 'vitest'
import { ErrorRate } from '../../../src/variants/error-rate.js'

const START = 1_000_000_000_000

describe('the rate of errors', () => {
  it('counts the calls of the interval, and forgets older ones', () => {
    const rate = new ErrorRate(10_000)
    rate.add(true, START)
    rate.add(false, START + 4_000)
    expect(rate.counts(START + 5_000)).toEqual({ calls: 2, failures: 1 })
    expect(rate.counts(START + 9_999)).toEqual({ calls: 2, failures: 1 })
    expect(rate.counts(START + 10_000)).toEqual({ calls: 1, failures: 0 })
    expect(rate.counts(START + 14_000)).toEqual({ calls: 0, failures: 0 })
  })

  it('begins anew in slots that were used before, and when it is cleared', () => {
    const rate = new ErrorRate(1_000)
    for (let turn = 0; turn < 3; turn++) {
      const at = START + turn * 10_000
      rate.add(true, at)
      rate.add(true, at + 500)
      expect(rate.counts(at + 600)).toEqual({ calls: 2, failures: 2 })
    }
    rate.clear()
    expect(rate.counts(START + 20_600)).toEqual({ calls: 0, failures: 0 })
  })
})
