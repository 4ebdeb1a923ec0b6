import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { weightedChoice } from '../../../src/variants/weighted.js'

const keys = Array.from({ length: 4_000 }, (_, index) => `key ${index}`)

function chosen(weights: Readonly<Record<string, number>>, salt = 'a'): (string | undefined)[] {
  const candidates = Object.entries(weights).map(([name, weight]) => ({ name, weight }))
  return keys.map((key) => weightedChoice(candidates, salt, key)?.name)
}

const part = (all: readonly unknown[], name: string) =>
  all.filter((it) => it === name).length / all.length

describe('a weighted choice', () => {
  it('gives each its part of the keys', () => {
    const all = chosen({ stable: 70, canary: 20, other: 10, none: 0 })
    expect(part(all, 'stable')).toBeCloseTo(0.7, 1)
    expect(part(all, 'canary')).toBeCloseTo(0.2, 1)
    expect(part(all, 'other')).toBeCloseTo(0.1, 1)
    expect(part(all, 'none')).toBe(0)
  })

  it('moves nobody but those that a changed weight gains or loses', () => {
    const before = chosen({ stable: 90, canary: 10, other: 50 })
    const after = chosen({ stable: 90, canary: 40, other: 50 })
    const moved = after.filter((it, index) => it !== before[index])
    expect(moved.length).toBeGreaterThan(0)
    expect(new Set(moved)).toEqual(new Set(['canary']))
  })

  it('is the same in any order of candidates, each time', () => {
    const weights = fc.dictionary(fc.stringMatching(/^[a-z0-9-]{1,20}$/), fc.nat(1_000))
    fc.assert(
      fc.property(weights, fc.string(), (given, key) => {
        const candidates = Object.entries(given).map(([name, weight]) => ({ name, weight }))
        const one = weightedChoice(candidates, 'a', key)
        const other = weightedChoice(candidates.toReversed(), 'a', key)
        expect(other).toEqual(one)
        expect(one === undefined).toBe(candidates.every(({ weight }) => weight === 0))
      }),
    )
  })

  it('of one target says nothing of another', () => {
    const weights = { stable: 1, canary: 1 }
    const one = chosen(weights, 'a')
    const other = chosen(weights, 'b')
    const same = one.filter((it, index) => it === other[index]).length / keys.length
    expect(same).toBeCloseTo(0.5, 1)
  })
})
