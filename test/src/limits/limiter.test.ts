/** How often and how many at once, by a clock of the test's: the same of a process's own limits and of those in Redis. */
import { createClient } from '@redis/client'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Entry, Use } from '../../../src/limits/limiter.js'
import { Limiter } from '../../../src/limits/limiter.js'
import type { Script } from '../../../src/limits/redis/scripts.js'
import { SharedLimiter } from '../../../src/limits/redis/shared-limiter.js'
import type { LimitSettings } from '../../../src/limits/settings.js'
import { limitsSchema } from '../../../src/limits/settings.js'
import { describeWithRedis, Redis } from '../../support/redis.js'

const USE: Use = {
  method: 'tools/call',
  principal: 'ada',
  session: 's',
  target: 't',
  tool: 't__read',
  address: '::1',
}

interface AnyLimiter {
  enter(use: Use): Entry | Promise<Entry>
  update(settings: readonly LimitSettings[]): void
}

interface World {
  readonly pass: (ms: number) => void
  readonly use: (more?: Partial<Use>) => Promise<Entry>
  readonly admits: (more?: Partial<Use>) => Promise<boolean>
  readonly update: (...limits: object[]) => void
}

type Make = (settings: readonly LimitSettings[], now: () => number) => AnyLimiter

function worldOf(make: Make, limits: readonly object[]): World {
  let now = 0
  const limiter = make(limitsSchema.parse(limits), () => now)
  const use = async (more: Partial<Use> = {}) => limiter.enter({ ...USE, ...more })
  return {
    pass: (ms) => {
      now += ms
      // As the gateway does every few seconds; what runs must not run out by the test's clock.
      if (limiter instanceof SharedLimiter) limiter.resume()
    },
    use,
    admits: async (more) => (await use(more)).isAdmitted,
    update: (...changed) => limiter.update(limitsSchema.parse(changed)),
  }
}

const inMemory: Make = (settings, now) => new Limiter(settings, now)

let redis: Redis | undefined
let worlds = 0
const client = () => createClient({ url: redis?.url ?? '', RESP: 2 }).on('error', () => undefined)
let connection: ReturnType<typeof client> | undefined

/** The scripts as they are, in a Redis whose clock is the test's. */
const inRedis: Make = (settings, now) => {
  const prefix = `world${++worlds}:`
  const run = ({ text }: Script, keys: readonly string[], args: readonly string[]) => {
    const us = Math.round(now() * 1_000)
    const clock = `
local server = redis
local redis = { call = function(command, ...)
  if command == 'TIME' then return {'${Math.floor(us / 1e6)}', '${us % 1e6}'} end
  if command == 'PEXPIRE' then return 1 end
  return server.call(command, ...)
end }`
    const names = keys.map((key) => prefix + key)
    const question = [clock + text, String(keys.length), ...names, ...args]
    return connection?.sendCommand(['EVAL', ...question]) ?? Promise.reject(new Error('no Redis'))
  }
  return new SharedLimiter(settings, { run }, 'closed', () => undefined)
}

function itLimits(make: Make, runs: number): void {
  const world = (...limits: object[]) => worldOf(make, limits)
  const several = async (count: number, ask: () => Promise<boolean>): Promise<boolean[]> => {
    const answers: boolean[] = []
    while (answers.length < count) answers.push(await ask())
    return answers
  }

  describe('a rate', () => {
    it('lets through a burst, and then as many as it says', async () => {
      const { use, admits, pass } = world({ rate: '60/1m', burst: 3 })
      expect(await several(3, admits)).toEqual([true, true, true])
      expect(await use()).toEqual({ isAdmitted: false, retryAfterMs: 1_000, reason: 'rate' })
      pass(999)
      expect(await use()).toEqual({ isAdmitted: false, retryAfterMs: 1, reason: 'rate' })
      pass(1)
      expect(await several(2, admits)).toEqual([true, false])
      pass(3_600_000)
      expect(await several(4, admits)).toEqual([true, true, true, false])
    })

    it.each([
      ['principal', { principal: 'bob' }],
      ['session', { session: 'other' }],
      ['target', { target: 'other' }],
      ['tool', { tool: 't__write' }],
      ['address', { address: '10.0.0.1' }],
    ])('per %s counts each for itself, and nothing else apart', async (party, other) => {
      const { admits } = world({ per: [party], rate: '1/1h' })
      expect([await admits(), await admits()]).toEqual([true, false])
      expect([await admits(other), await admits(other)]).toEqual([true, false])
      const changed = Object.fromEntries(
        ['principal', 'session', 'target', 'tool', 'address']
          .filter((it) => it !== party)
          .map((it) => [it, 'another']),
      )
      expect(await admits(changed)).toBe(false)
    })

    it('per combination counts each combination, and per nothing all together', async () => {
      const both = world({ per: ['principal', 'tool'], rate: '1/1h' })
      expect(await both.admits()).toBe(true)
      expect(await both.admits({ tool: 'x' })).toBe(true)
      expect(await both.admits({ principal: 'b' })).toBe(true)
      const all = world({ per: [], rate: '1/1h' })
      expect(await all.admits()).toBe(true)
      expect(await all.admits({ principal: 'b', tool: 'x' })).toBe(false)
    })

    it('counts what its methods say, and is not drawn on by what another limit refuses', async () => {
      const { admits } = world(
        { methods: ['prompts/get'], rate: '1/1h' },
        { rate: '2/1h' },
        { per: ['tool'], rate: '1/1h' },
      )
      const gets = () => admits({ method: 'prompts/get' })
      expect(await several(2, gets)).toEqual([true, false])
      expect(await several(2, admits)).toEqual([true, false])
      expect(await admits({ tool: 'x' })).toBe(true)
    })

    it('never lets through more than burst and time allow, whatever the order [property]', async () => {
      const anyPauses = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 200 })
      await fc.assert(
        fc.asyncProperty(anyPauses, async (pauses) => {
          const { admits, pass } = world({ rate: '10/1s', burst: 5 })
          let passed = 0
          let admitted = 0
          for (const ms of pauses) {
            pass(ms)
            passed += ms
            if (await admits()) admitted += 1
          }
          expect(admitted).toBeLessThanOrEqual(5 + passed / 100 + 1e-6)
        }),
        { numRuns: runs },
      )
    })
  })

  describe('a concurrency', () => {
    it('holds while calls run, however they end, and counts each end once', async () => {
      const { use, admits } = world({ concurrency: 2 })
      const first = await use()
      expect([(await use()).isAdmitted, await use()]).toEqual([
        true,
        { isAdmitted: false, retryAfterMs: 1_000, reason: 'concurrency' },
      ])
      if (first.isAdmitted) await first.release()
      if (first.isAdmitted) await first.release()
      expect(await several(2, admits)).toEqual([true, false])
    })

    it('takes no token of a rate when it refuses, and no slot when that does', async () => {
      const { use, pass, admits } = world({ concurrency: 1 }, { rate: '60/1m', burst: 2 })
      const first = await use()
      expect(await use()).toMatchObject({ reason: 'concurrency' })
      if (first.isAdmitted) await first.release()
      const second = await use()
      if (second.isAdmitted) await second.release()
      expect(await use()).toMatchObject({ reason: 'rate' })
      pass(1_000)
      expect(await admits()).toBe(true)
    })
  })

  describe('limits that change', () => {
    it('go on counting where they stay the same', async () => {
      const { update, admits } = world({ rate: '1/1h' })
      expect(await admits()).toBe(true)
      update({ rate: '1/1h' }, { per: ['tool'], rate: '5/1h' })
      expect(await admits()).toBe(false)
      update({ rate: '2/1h' })
      expect(await admits()).toBe(true)
      update()
      expect(await admits()).toBe(true)
    })
  })
}

describe('in a process of its own', () => {
  itLimits(inMemory, 100)

  it('nothing is limited without limits', () => {
    expect(new Limiter([]).isActive).toBe(false)
  })
})

describeWithRedis('in Redis', () => {
  beforeAll(async () => {
    redis = await Redis.start()
    connection = await client().connect()
  })
  afterAll(async () => {
    connection?.destroy()
    await redis?.[Symbol.asyncDispose]()
  })

  itLimits(inRedis, 10)

  const anyLimit = fc.oneof(
    fc.record({
      per: fc.constantFrom(['principal'], ['principal', 'tool'], []),
      rate: fc.constantFrom('1/1s', '3/1s', '7/1m', '1000/1s', '5/3s'),
      burst: fc.integer({ min: 1, max: 6 }),
    }),
    fc.record({
      per: fc.constantFrom(['principal'], ['tool'], []),
      concurrency: fc.integer({ min: 1, max: 3 }),
    }),
    fc.record({ per: fc.constant(['tool']), rate: fc.constant('4/1s'), concurrency: fc.nat(3) }),
  )
  const limits = fc.array(
    anyLimit.filter((it) => !('concurrency' in it) || it.concurrency > 0),
    { minLength: 1, maxLength: 3 },
  )
  const step = fc.oneof(
    fc.record({ pass: fc.integer({ min: 0, max: 1_500_000 }) }),
    fc.record({ principal: fc.constantFrom('ada', 'bob'), tool: fc.constantFrom('x', 'y') }),
    fc.record({ end: fc.nat(20) }),
  )

  it('every call is answered as a process of its own would answer it [property]', async () => {
    await fc.assert(
      fc.asyncProperty(limits, fc.array(step, { maxLength: 60 }), async (settings, steps) => {
        // Two that are the same are one in Redis.
        const different = [...new Map(settings.map((it) => [JSON.stringify(it), it])).values()]
        const own = worldOf(inMemory, different)
        const shared = worldOf(inRedis, different)
        const running: [Entry, Entry][] = []
        const answers: [Entry, Entry][] = []
        for (const it of steps) {
          if ('pass' in it) {
            own.pass(it.pass / 1_000)
            shared.pass(it.pass / 1_000)
          } else if ('end' in it) {
            for (const entry of running.splice(it.end, 1).flat()) {
              if (entry.isAdmitted) await entry.release()
            }
          } else {
            const [one, other] = [await own.use(it), await shared.use(it)]
            answers.push([one, other])
            if (one.isAdmitted) running.push([one, other])
          }
        }
        const told = (entry: Entry) => JSON.stringify(entry)
        expect(answers.map(([, other]) => told(other))).toEqual(answers.map(([one]) => told(one)))
      }),
      { numRuns: 60, seed: 20_261_120 },
    )
  })
})

it('a process counts 100,000 callers of a limit; whoever was not heard of the longest begins anew', () => {
  const limiter = new Limiter(limitsSchema.parse([{ per: ['principal'], rate: '1/1h' }]), () => 0)
  const admits = (principal: string) => limiter.enter({ ...USE, principal }).isAdmitted
  for (let count = 0; count < 100_000; count++) admits(`p${count}`)
  expect([admits('p0'), admits('p1')]).toEqual([false, false])
  admits('one more')
  expect([admits('p0'), admits('p1'), admits('p2')]).toEqual([false, false, true])
})
