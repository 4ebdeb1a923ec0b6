import { describe, expect, it } from 'vitest'
import { RetryBudget } from '../../backends/retry-budget.js'

function takeAll(budget: RetryBudget): number {
  let taken = 0
  while (budget.take()) taken++
  return taken
}

describe('the budget of retries', () => {
  it('holds a few for a server that is asked nothing, and one a second more', () => {
    let now = 0
    const budget = new RetryBudget(0.2, () => now)
    expect(takeAll(budget)).toBe(10)
    now = 900
    expect(takeAll(budget)).toBe(0)
    now = 3_000
    expect(takeAll(budget)).toBe(3)
    now = 1_000_000
    expect(takeAll(budget)).toBe(10)
  })

  it('is a share of the requests beyond that', () => {
    const budget = new RetryBudget(0.2, () => 0)
    takeAll(budget)
    for (let request = 0; request < 50; request++) budget.earn()
    // Fifths do not add up exactly.
    expect(takeAll(budget)).toBeGreaterThanOrEqual(9)
    expect(budget.taken).toBeLessThanOrEqual(20)
  })

  it('keeps little of what a long calm has earned', () => {
    const budget = new RetryBudget(0.5, () => 0)
    for (let request = 0; request < 100_000; request++) budget.earn()
    expect(takeAll(budget)).toBe(110)
  })
})
