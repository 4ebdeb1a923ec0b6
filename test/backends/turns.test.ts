import { describe, expect, it } from 'vitest'
import { Turns } from '../../backends/turns.js'

/** One for each letter: who waits, by the party's letter and in order. */
function turnsOf(waiting: string) {
  const turns = new Turns<string>()
  const leave = waiting.split('').map((party, index) => turns.add(party, `${party}${index}`))
  const rest = () => {
    const items: string[] = []
    for (let it = turns.next(); it !== undefined; it = turns.next()) items.push(it)
    return items.join(' ')
  }
  return { turns, leave, rest }
}

describe('whoever waits', () => {
  it('takes turns with other parties, and within a party is served as they came', () => {
    expect(turnsOf('aaaabbc').rest()).toBe('a0 b4 c6 a1 b5 a2 a3')
  })

  it('comes behind one of each other party, however many of those wait', () => {
    const { turns, rest } = turnsOf('a'.repeat(1_000))
    turns.add('b', 'late')
    expect(turns.next()).toBe('a0')
    expect(rest().split(' ').indexOf('late')).toBe(0)
  })

  it('can leave, once and again, and holds up nobody then', () => {
    const { leave, rest } = turnsOf('abab')
    for (const index of [0, 3, 1, 1]) leave[index]?.()
    expect(rest()).toBe('a2')
  })
})

describe('where no more can wait', () => {
  it('the newest of the party with the most gives way to one with fewer', () => {
    const { turns, rest } = turnsOf('abaca')
    expect(turns.pushOut(2)).toBe('a4')
    expect(turns.pushOut(1)).toBe('a2')
    expect(rest()).toBe('a0 b1 c3')
  })

  it('nobody gives way whose share is fair', () => {
    const { turns, rest } = turnsOf('aab')
    expect(turns.pushOut(3)).toBeUndefined()
    expect(turns.pushOut(2)).toBeUndefined()
    expect(turns.pushOut(1)).toBe('a1')
    expect(rest()).toBe('a0 b2')
  })

  it('nobody gives way where nobody waits', () => {
    expect(turnsOf('').turns.pushOut(0)).toBeUndefined()
  })
})
