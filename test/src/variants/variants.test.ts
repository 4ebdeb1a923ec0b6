/** Who is given to which variant, where servers are missing and calls fail; the rest is in test/e2e/variants.test.ts. */
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { JsonObject, TargetName } from '../../../backends/index.js'
import { CallCancelledError, EMPTY_OBJECT, JsonRpcError, RawJson } from '../../../backends/index.js'
import { principalOf } from '../../../src/auth/principal.js'
import { Variants } from '../../../src/variants/variants.js'
import { configOf } from '../../support/gateway.js'

const A = 'a' as TargetName

function world(weights: Readonly<Record<string, number>>, rollback?: JsonObject) {
  const away = new Set<string>()
  const given: string[] = []
  const variants = new Variants({
    attributesOf: () => ({}),
    addressOf: () => '127.0.0.1',
    isThere: (id) => !away.has(id),
    onChange: ({ variant, givenUp }) => given.push(`${variant} ${givenUp === undefined}`),
  })
  const { targets, variations } = configOf({
    targets: [
      {
        name: A,
        variants: Object.entries(weights).map(([name, weight]) => {
          return { name, weight, mcp: { url: 'http://h/mcp' } }
        }),
        ...(rollback === undefined ? {} : { rollback }),
      },
    ],
  })
  variants.update(variations, targets)
  const chosen = (user = 'ada'): string | undefined => {
    const principal = principalOf('apiKey', [user], user, {})
    const request = new IncomingMessage(new Socket())
    const asker = { principal, request, client: { name: '', version: '' } }
    return variants.forRequest(asker, 'tools/call', EMPTY_OBJECT)?.get(A)
  }
  const call = async (variant: string, outcome: JsonObject | Error): Promise<void> => {
    const target = targets.find((it) => it.variant === variant)
    if (target === undefined) throw new Error(variant)
    const asked =
      outcome instanceof Error
        ? Promise.reject(outcome)
        : Promise.resolve(RawJson.fromValue(outcome))
    await variants.counted(target, asked).catch(() => undefined)
  }
  return { variants, away, given, chosen, call }
}

const users = Array.from({ length: 50 }, (_, index) => `user ${index}`)

describe('callers', () => {
  it('are given to nobody where there are no variants', () => {
    const { variants } = world({ stable: 1, canary: 1 })
    variants.update([], [])
    expect(variants.isIdle).toBe(true)
    const asker = {
      principal: principalOf('apiKey', ['x'], 'x', {}),
      request: new IncomingMessage(new Socket()),
      client: { name: '', version: '' },
    }
    expect(variants.forOpening(asker, EMPTY_OBJECT)).toBeUndefined()
    expect(variants.forRequest(asker, 'tools/call', EMPTY_OBJECT)).toBeUndefined()
  })

  it('of a variant that is not there go to the first, else to any with a weight, and to none without', () => {
    const { away, chosen } = world({ stable: 1, canary: 1_000_000, dark: 0, other: 1 })
    const all = () => new Set(users.map(chosen))
    expect(all()).toEqual(new Set(['canary']))
    away.add('a@canary')
    expect(all()).toEqual(new Set(['stable']))
    away.add('a@stable')
    expect(all()).toEqual(new Set(['other']))
    away.add('a@other')
    expect(all()).toEqual(new Set(['stable']))
  })

  it('of a variant that is not there move alone', () => {
    const { away, chosen } = world({ stable: 1, canary: 1, other: 1 })
    const before = users.map(chosen)
    away.add('a@canary')
    const after = users.map(chosen)
    expect(after).toEqual(before.map((it) => (it === 'canary' ? 'stable' : it)))
  })
})

describe('a variant', () => {
  const LINE = { errorRate: 0.5, minCalls: 4, interval: '1h' }
  const failure = new JsonRpcError(-32603, 'broken')

  it('is given up for what is its fault, and for nothing else', async () => {
    const { given, call } = world({ stable: 1, canary: 1 }, LINE)
    for (let round = 0; round < 3; round++) {
      await call('canary', new CallCancelledError(A, 'cancelled'))
      await call('canary', new JsonRpcError(-32602, 'a wrong argument'))
      await call('canary', { content: [] })
    }
    for (let round = 0; round < 6; round++) await call('canary', failure)
    expect(given).toEqual([])
    await call('canary', { isError: true })
    expect(given).toEqual(['canary false'])
    await call('canary', failure)
    expect(given).toEqual(['canary false'])
  })

  it('is not given up for errors of tools where these do not count', async () => {
    const { given, call } = world({ stable: 1, canary: 1 }, { ...LINE, toolErrors: false })
    for (let round = 0; round < 9; round++) await call('canary', { isError: true })
    expect(given).toEqual([])
  })

  it('is kept where it is the first, or the first is not there', async () => {
    const { given, call, away } = world({ stable: 1, canary: 1 }, LINE)
    for (let round = 0; round < 9; round++) await call('stable', failure)
    away.add('a@stable')
    for (let round = 0; round < 9; round++) await call('canary', failure)
    expect(given).toEqual([])
    away.clear()
    await call('canary', failure)
    expect(given).toEqual(['canary false'])
  })
})
