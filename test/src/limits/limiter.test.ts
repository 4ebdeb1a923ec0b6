/** How often and how many at once, by a clock of the test's. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Entry, Use } from '../../../src/limits/limiter.js'
import { Limiter } from '../../../src/limits/limiter.js'
import { limitsSchema } from '../../../src/limits/settings.js'

const USE: Use = {
  method: 'tools/call',
  principal: 'ada',
  session: 's',
  target: 't',
  tool: 't__read',
  address: '::1',
}

function world(...limits: object[]) {
  let now = 0
  const limiter = new Limiter(limitsSchema.parse(limits), () => now)
  return {
    limiter,
    pass: (ms: number) => void (now += ms),
    use: (more: Partial<Use> = {}): Entry => limiter.enter({ ...USE, ...more }),
    admits: (more: Partial<Use> = {}): boolean => limiter.enter({ ...USE, ...more }).isAdmitted,
  }
}

describe('a rate', () => {
  it('lets through a burst, and then as many as it says', () => {
    const { use, admits, pass } = world({ rate: '60/1m', burst: 3 })
    expect([admits(), admits(), admits()]).toEqual([true, true, true])
    expect(use()).toEqual({ isAdmitted: false, retryAfterMs: 1_000, reason: 'rate' })
    pass(999)
    expect(use()).toEqual({ isAdmitted: false, retryAfterMs: 1, reason: 'rate' })
    pass(1)
    expect([admits(), admits()]).toEqual([true, false])
    pass(3_600_000)
    expect([admits(), admits(), admits(), admits()]).toEqual([true, true, true, false])
  })

  it.each([
    ['principal', { principal: 'bob' }],
    ['session', { session: 'other' }],
    ['target', { target: 'other' }],
    ['tool', { tool: 't__write' }],
    ['address', { address: '10.0.0.1' }],
  ])('per %s counts each for itself, and nothing else apart', (party, other) => {
    const { admits } = world({ per: [party], rate: '1/1h' })
    expect([admits(), admits(), admits(other), admits(other)]).toEqual([true, false, true, false])
    const changed = Object.fromEntries(
      ['principal', 'session', 'target', 'tool', 'address']
        .filter((it) => it !== party)
        .map((it) => [it, 'another']),
    )
    expect(admits(changed)).toBe(false)
  })

  it('per combination counts each combination, and per nothing all together', () => {
    const both = world({ per: ['principal', 'tool'], rate: '1/1h' })
    expect([both.admits(), both.admits({ tool: 'x' }), both.admits({ principal: 'b' })]).toEqual([
      true,
      true,
      true,
    ])
    const all = world({ per: [], rate: '1/1h' })
    expect([all.admits(), all.admits({ principal: 'b', tool: 'x' })]).toEqual([true, false])
  })

  it('counts what its methods say, and is not drawn on by what another limit refuses', () => {
    const { admits } = world(
      { methods: ['prompts/get'], rate: '1/1h' },
      { rate: '2/1h' },
      { per: ['tool'], rate: '1/1h' },
    )
    expect([admits({ method: 'prompts/get' }), admits({ method: 'prompts/get' })]).toEqual([
      true,
      false,
    ])
    expect([admits(), admits(), admits({ tool: 'x' })]).toEqual([true, false, true])
  })

  it('never lets through more than burst and time allow, whatever the order [property]', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 200 }), (pauses) => {
        const { admits, pass } = world({ rate: '10/1s', burst: 5 })
        let passed = 0
        let admitted = 0
        for (const ms of pauses) {
          pass(ms)
          passed += ms
          if (admits()) admitted += 1
        }
        expect(admitted).toBeLessThanOrEqual(5 + passed / 100 + 1e-6)
      }),
    )
  })
})

describe('a concurrency', () => {
  it('holds while calls run, however they end, and counts each end once', () => {
    const { use, admits } = world({ concurrency: 2 })
    const first = use()
    expect([use().isAdmitted, use()]).toEqual([
      true,
      { isAdmitted: false, retryAfterMs: 1_000, reason: 'concurrency' },
    ])
    if (first.isAdmitted) first.release()
    if (first.isAdmitted) first.release()
    expect([admits(), admits()]).toEqual([true, false])
  })
})

describe('limits that change', () => {
  it('go on counting where they stay the same', () => {
    const { limiter, admits } = world({ rate: '1/1h' })
    expect(admits()).toBe(true)
    limiter.update(limitsSchema.parse([{ rate: '1/1h' }, { per: ['tool'], rate: '5/1h' }]))
    expect(admits()).toBe(false)
    limiter.update(limitsSchema.parse([{ rate: '2/1h' }]))
    expect(admits()).toBe(true)
    limiter.update([])
    expect(limiter.isActive).toBe(false)
  })
})
