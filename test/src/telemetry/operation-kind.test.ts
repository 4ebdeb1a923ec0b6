/** That operations of one kind are told apart from all others, and that nobody's words fill memory. */
import { describe, expect, it } from 'vitest'
import type { Target } from '../../../backends/index.js'
import type { Principal } from '../../../src/auth/principal.js'
import { NOBODY } from '../../../src/auth/principal.js'
import type { Matter } from '../../../src/telemetry/operation-kind.js'
import { Facet, OperationKinds } from '../../../src/telemetry/operation-kind.js'
import { Speaker } from '../../../src/telemetry/speaker.js'

const MATTER: Matter = {
  method: 'tools/call',
  name: 'a__echo',
  isKnownName: true,
  target: 'a',
  variant: '',
  outcome: 'ok',
  errorType: '',
}
const ADA: Principal = { id: 'jwt:1', kind: 'jwt', name: 'ada', claims: { secret: 'x' } }

function speaker(name = 'agent', version = '1'): Speaker {
  return new Speaker('legacy', '2025-11-25', { name, version }, 'f00')
}

describe('kinds of operations', () => {
  it('are the same for the same words, whoever brings them', () => {
    const kinds = new OperationKinds()
    const kindOf = () => kinds.of(kinds.partyOf(speaker(), NOBODY, '::1'), { ...MATTER })
    expect(kindOf()).toBe(kindOf())
    expect(kindOf()).toMatchObject({ ...MATTER, client: { name: 'agent' }, address: '::1' })
  })

  it('differ where any word does', () => {
    const kinds = new OperationKinds()
    const of = (matter: Partial<Matter>, who = speaker(), principal = NOBODY, address = '::1') =>
      kinds.of(kinds.partyOf(who, principal, address), { ...MATTER, ...matter })
    const all = [
      of({}),
      of({ method: 'prompts/get' }),
      of({ name: 'a__other' }),
      of({ target: 'b' }),
      of({ variant: 'canary' }),
      of({ outcome: 'failed' }),
      of({ errorType: 'tool_error' }),
      of({}, speaker('other')),
      of({}, speaker('agent', '2')),
      of({}, speaker(), ADA),
      of({}, speaker(), { ...ADA, name: 'ada lovelace' }),
      of({}, speaker(), NOBODY, '::2'),
      of({}, new Speaker('modern', '2025-11-25', { name: 'agent', version: '1' })),
      of({}, new Speaker('legacy', '2025-06-18', { name: 'agent', version: '1' })),
    ]
    expect(new Set(all).size).toBe(all.length)
    expect(of({})).toBe(all[0])
  })

  it('follow a session whose caller is another, or comes from elsewhere', () => {
    const kinds = new OperationKinds()
    const one = speaker()
    const names = [NOBODY, ADA, NOBODY].map((it) => kinds.partyOf(one, it, '::1').principal.name)
    expect(names).toEqual(['anonymous', 'ada', 'anonymous'])
    expect(kinds.partyOf(one, NOBODY, '::2').address).toBe('::2')
    expect(JSON.stringify(kinds.of(kinds.partyOf(one, ADA, '::1'), MATTER))).not.toContain('secret')
  })

  it('are not remembered of names and methods that clients make up', () => {
    const kinds = new OperationKinds()
    const party = kinds.partyOf(speaker(), NOBODY, '::1')
    const isKept = (matter: Partial<Matter>): boolean => {
      const whole = { ...MATTER, ...matter }
      return kinds.of(party, whole) === kinds.of(party, whole)
    }
    expect(isKept({})).toBe(true)
    expect(isKept({ method: 'tools/list', name: '', isKnownName: false })).toBe(true)
    expect(isKept({ name: 'made up', isKnownName: false })).toBe(false)
    expect(isKept({ method: 'made/up', name: '', isKnownName: false })).toBe(false)
  })

  it('are forgotten where there are too many, in sessions as well', () => {
    const kinds = new OperationKinds()
    const speakers = Array.from({ length: 150 }, (_, index) => speaker(`agent ${index}`))
    const of = (who: Speaker, name: string) =>
      kinds.of(kinds.partyOf(who, NOBODY, who.client.name), { ...MATTER, name })
    const first = of(speakers[0] as Speaker, 'tool 0')
    for (const who of speakers) for (let tool = 0; tool < 100; tool++) of(who, `tool ${tool}`)
    expect(of(speakers[0] as Speaker, 'tool 0')).not.toBe(first)
  })

  it('have what is made of them once, for each who makes something', () => {
    const kinds = new OperationKinds()
    const party = kinds.partyOf(speaker(), NOBODY, '::1')
    let made = 0
    const names = new Facet(({ name }) => ({ name, made: ++made }))
    const targets = new Facet(({ target }) => ({ target }))
    for (const _ of [1, 2]) {
      expect(names.of(kinds.of(party, MATTER))).toEqual({ name: 'a__echo', made: 1 })
      expect(targets.of(kinds.of(party, MATTER))).toEqual({ target: 'a' })
    }
  })
})

describe('kinds of what servers are asked', () => {
  it('are the same for the same words, in the course of an operation or not', () => {
    const kinds = new OperationKinds()
    const of = kinds.of(kinds.partyOf(speaker(), NOBODY, '::1'), MATTER)
    const target = { name: 'a' } as unknown as Target
    const words = { target, protocolVersion: '1', method: 'tools/call', name: 'echo' }
    const ok = kinds.upstreamOf({ ...words, errorType: '' }, of)
    const failed = kinds.upstreamOf({ ...words, errorType: '-32603' }, of)
    expect(failed).not.toBe(ok)
    expect(kinds.upstreamOf({ ...words, errorType: '' }, of)).toBe(ok)
    expect(kinds.upstreamOf({ ...words, errorType: '' })).toBe(ok)
    expect(kinds.upstreamOf({ ...words, errorType: '', name: 'other' }, of)).not.toBe(ok)
  })
})
