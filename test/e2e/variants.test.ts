/** Targets of several servers: who is served by which, who stays, and what becomes of one that fails. */
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { configOf, startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import type { RawSession } from '../support/raw-client.js'
import { openSession } from '../support/raw-client.js'
import { observed } from '../support/observed-gateway.js'
import { startTwo } from '../support/replicas.js'
import { connectV1, connectV2 } from '../support/sdk-clients.js'
import { answererIn, startVariant, toolsIn } from '../support/variant-servers.js'
import { waitUntil } from '../support/wait-until.js'

const ERAS = ['legacy', 'modern'] as const
const TOOLS_CHANGED = 'notifications/tools/list_changed'

interface Place {
  readonly url: string
}

/** A target `a` with a stable server and a canary. */
function varied(stable: Place, canary: Place, rules: JsonObject = {}, more: JsonObject = {}) {
  return {
    name: 'a',
    variants: [
      { name: 'stable', weight: 1, mcp: { url: stable.url } },
      { name: 'canary', weight: 0, mcp: { url: canary.url }, ...rules },
    ],
    ...more,
  }
}

const who = async (session: RawSession): Promise<string> => answererIn(await session.call('a__who'))

async function openMany(url: string, count: number): Promise<RawSession[]> {
  return Promise.all(Array.from({ length: count }, () => openSession(url)))
}

/** A client of 2026-07-28 that is told apart by a header. */
function caller(url: string, user: string): () => Promise<string> {
  const client = new ModernClient(url)
  return async () => answererIn(await client.call('a__who', {}, { headers: { 'x-user': user } }))
}

const users = (count: number): string[] => Array.from({ length: count }, (_, index) => `u${index}`)

describe.each(ERAS)('a target with variants, of %s servers', (era) => {
  it('is served to sessions by weight, and each stays with its variant, at another replica too', async () => {
    await using stable = await startVariant(era, 'stable')
    await using canary = await startVariant(era, 'canary')
    const target = varied(stable, canary, { weight: 1 })
    await using two = await startTwo({ targets: [target] })
    const sessions = await openMany(two.here, 60)
    const first = await Promise.all(sessions.map(who))
    const onCanary = first.filter((it) => it === 'canary').length
    expect(first.every((it) => it === 'canary' || it === 'stable')).toBe(true)
    // Even chances: beyond this band once in a billion runs.
    expect(onCanary).toBeGreaterThan(5)
    expect(onCanary).toBeLessThan(55)
    for (let round = 0; round < 3; round++) {
      expect(await Promise.all(sessions.map(who))).toEqual(first)
    }
    const moved = sessions.map((it) => it.at(two.there))
    expect(await Promise.all(moved.map(who))).toEqual(first)
  })

  it('shows each session the lists of its variant, and names the target alone', async () => {
    await using stable = await startVariant(era, 'stable', { tools: ['old'] })
    await using canary = await startVariant(era, 'canary', { tools: ['fresh'] })
    const target = varied(stable, canary, { when: 'request.headers["x-beta"] == "yes"' })
    await using gateway = await startGateway({ targets: [target] })
    const usual = await openSession(gateway.url)
    const beta = await openSession(gateway.url, undefined, {}, { 'x-beta': 'yes' })
    expect(toolsIn(await usual.request('tools/list'))).toEqual(['a__who', 'a__old'])
    expect(toolsIn(await beta.request('tools/list'))).toEqual(['a__who', 'a__fresh'])
    expect(answererIn(await beta.call('a__fresh'))).toBe('canary')
    expect(answererIn(await usual.call('a__fresh'))).toContain('-32602')
    const alone = await openSession(`${gateway.url}/a`, undefined, {}, { 'x-beta': 'yes' })
    expect(toolsIn(await alone.request('tools/list'))).toEqual(['who', 'fresh'])
    const modern = new ModernClient(gateway.url)
    const headers = { 'x-beta': 'yes' }
    expect(toolsIn(await modern.request('tools/list', {}, { headers }))).toContain('a__fresh')
    expect(toolsIn(await modern.request('tools/list'))).toContain('a__old')
    expect(answererIn(await modern.call('a__fresh', {}, { headers }))).toBe('canary')
  })

  it('returns to the first variant when another fails too often, without a failure more', async () => {
    await using stable = await startVariant(era, 'stable')
    await using canary = await startVariant(era, 'canary', { tools: ['fresh'] })
    const rollback = { errorRate: 0.5, minCalls: 4, interval: '1h' }
    const target = varied(
      stable,
      canary,
      { when: 'request.headers["x-user"].startsWith("beta")' },
      { rollback },
    )
    await using gateway = await startGateway({ targets: [target] })
    const session = await openSession(gateway.url, undefined, {}, { 'x-user': 'beta1' })
    const stream = await session.listen()
    const modern = new ModernClient(gateway.url)
    const headers = { 'x-user': 'beta2' }
    const listening = await modern.begin(
      'subscriptions/listen',
      { notifications: { toolsListChanged: true } },
      { headers },
    )
    await listening.next('notifications/subscriptions/acknowledged')
    const ask = caller(gateway.url, 'beta2')
    expect([await who(session), await ask()]).toEqual(['canary', 'canary'])

    canary.behave(era === 'legacy' ? 'internal-error' : 'tool-error')
    const outcomes: string[] = []
    for (let round = 0; round < 6; round++) outcomes.push(await who(session), await ask())
    const failures = outcomes.filter((it) => it !== 'stable')
    // Of two good calls and three bad ones more than half have failed.
    expect(failures).toHaveLength(3)
    expect(outcomes.slice(3).every((it) => it === 'stable')).toBe(true)
    await stream.next(TOOLS_CHANGED)
    await listening.next(TOOLS_CHANGED)
    expect(toolsIn(await session.request('tools/list'))).toEqual(['a__who'])
    expect(await who(await openSession(gateway.url, undefined, {}, headers))).toBe('stable')
    stream.close()
    listening.close()
  })
})

describe('a variant whose server dies', () => {
  it('is given up for calls that reach nobody, and clients of both lines of the SDK go on', async () => {
    await using stable = await startVariant('modern', 'stable')
    const canary = await startVariant('modern', 'canary')
    const target = varied(stable, canary, { weight: 1_000_000 }, { rollback: { minCalls: 5 } })
    await using it = await observed({ targets: [target] })
    await using v1 = await connectV1(it.gateway.url)
    await using v2 = await connectV2(it.gateway.url)
    const ask = async (client: typeof v1 | typeof v2): Promise<string> => {
      const answer = client.callTool({ name: 'a__who', arguments: {} })
      const { content } = await (answer as Promise<{ content: unknown }>).catch(() => ({
        content: [{ text: 'failed' }],
      }))
      return (content as { text: string }[])[0]?.text ?? ''
    }
    expect([await ask(v1), await ask(v2)]).toEqual(['canary', 'canary'])
    await canary[Symbol.asyncDispose]()
    const outcomes: string[] = []
    for (let round = 0; round < 10; round++) outcomes.push(await ask(v1), await ask(v2))
    const failures = outcomes.filter((answer) => answer !== 'stable').length
    const { targets } = (await it.api('targets')) as { targets: JsonObject[] }
    expect(targets[1]).toMatchObject({ variant: { givenUp: { failures, calls: failures + 2 } } })
    expect(outcomes.slice(failures).every((answer) => answer === 'stable')).toBe(true)
  })
})

describe('a choice by rule', () => {
  it('is by claims of the caller', async () => {
    await using stable = await startVariant('legacy', 'stable')
    await using canary = await startVariant('legacy', 'canary')
    const target = varied(stable, canary, { when: 'apiKey.team == "beta"' })
    await using gateway = await startGateway({
      targets: [target],
      authentication: {
        mode: 'strict',
        apiKeys: [
          { name: 'usual', key: 'usual-key-0123456789', claims: { team: 'all' } },
          { name: 'beta', key: 'beta-key-0123456789', claims: { team: 'beta' } },
        ],
      },
    })
    for (const [key, answerer] of [
      ['usual-key-0123456789', 'stable'],
      ['beta-key-0123456789', 'canary'],
    ] as const) {
      const headers = { 'x-api-key': key }
      const session = await openSession(gateway.url, undefined, {}, headers)
      expect(await who(session)).toBe(answerer)
      const modern = new ModernClient(gateway.url)
      expect(answererIn(await modern.call('a__who', {}, { headers }))).toBe(answerer)
    }
  })

  it('is by what each modern request says, and of a session by what opened it', async () => {
    await using stable = await startVariant('modern', 'stable')
    await using canary = await startVariant('legacy', 'canary')
    const rule = 'mcp.attributes.region == "north" || mcp.client.name == "tester"'
    await using gateway = await startGateway({
      targets: [varied(stable, canary, { when: rule })],
      attributes: [{ method: 'tools/call', path: 'params.arguments.region' }],
    })
    const modern = new ModernClient(gateway.url)
    expect(answererIn(await modern.call('a__who', { region: 'north' }))).toBe('canary')
    expect(answererIn(await modern.call('a__who', { region: 'south' }))).toBe('stable')
    expect(answererIn(await modern.call('a__who'))).toBe('stable')
    const session = await openSession(gateway.url)
    expect(answererIn(await session.call('a__who', { region: 'north' }))).toBe('stable')
  })
})

describe('a modern caller', () => {
  it('gets the same variant each time and at every gateway, by a header or as who it is', async () => {
    await using stable = await startVariant('legacy', 'stable')
    await using canary = await startVariant('modern', 'canary')
    const target = varied(stable, canary, { weight: 1 }, { stickBy: { header: 'X-User' } })
    await using two = await startTwo({ targets: [target] })
    const all = users(40)
    const here = await Promise.all(all.map((it) => caller(two.here, it)()))
    const there = await Promise.all(all.map((it) => caller(two.there, it)()))
    expect(there).toEqual(here)
    expect(new Set(here)).toEqual(new Set(['stable', 'canary']))
    // Anonymous and without the header, all from one address are one.
    const nobody = new ModernClient(two.here)
    const answerers = new Set<string>()
    for (let round = 0; round < 10; round++) answerers.add(answererIn(await nobody.call('a__who')))
    expect(answerers.size).toBe(1)
  })
})

describe('a changed configuration', () => {
  it('of weights concerns new sessions, and as few modern callers as it can', async () => {
    await using stable = await startVariant('legacy', 'stable')
    await using canary = await startVariant('legacy', 'canary')
    const stickBy = { header: 'x-user' }
    const config = (weight: number) => ({
      targets: [varied(stable, canary, { weight }, { stickBy })],
    })
    await using gateway = await startGateway(config(0))
    const before = await openMany(gateway.url, 10)
    expect(new Set(await Promise.all(before.map(who)))).toEqual(new Set(['stable']))
    const all = users(40)

    gateway.apply(configOf(config(1)))
    const half = await Promise.all(all.map((it) => caller(gateway.url, it)()))
    expect(new Set(half)).toEqual(new Set(['stable', 'canary']))
    gateway.apply(configOf(config(3)))
    const more = await Promise.all(all.map((it) => caller(gateway.url, it)()))
    expect(half.every((it, index) => it === 'stable' || more[index] === 'canary')).toBe(true)

    gateway.apply(configOf(config(1_000_000)))
    expect(new Set(await Promise.all(before.map(who)))).toEqual(new Set(['stable']))
    const after = await openMany(gateway.url, 10)
    expect(new Set(await Promise.all(after.map(who)))).toEqual(new Set(['canary']))
  })

  it('that gives a target variants leaves sessions at the first', async () => {
    await using stable = await startVariant('legacy', 'stable')
    await using canary = await startVariant('legacy', 'canary')
    await using gateway = await startGateway({ targets: [{ name: 'a', mcp: { url: stable.url } }] })
    const before = await openMany(gateway.url, 5)
    expect(new Set(await Promise.all(before.map(who)))).toEqual(new Set(['stable']))
    gateway.apply(configOf({ targets: [varied(stable, canary, { weight: 1_000_000 })] }))
    expect(new Set(await Promise.all(before.map(who)))).toEqual(new Set(['stable']))
    expect(await who(await openSession(gateway.url))).toBe('canary')
    gateway.apply(configOf({ targets: [{ name: 'a', mcp: { url: canary.url } }] }))
    expect(new Set(await Promise.all(before.map(who)))).toEqual(new Set(['canary']))
  })

  it('that removes a variant lets its calls finish, and gives its sessions to another', async () => {
    let open: () => void = () => undefined
    const gate = () => new Promise<void>((resolve) => (open = resolve))
    await using stable = await startVariant('legacy', 'stable')
    await using canary = await startVariant('legacy', 'canary', { tools: ['fresh'], gate })
    await using third = await startVariant('legacy', 'third')
    const target = varied(stable, canary, { weight: 1_000_000 })
    await using gateway = await startGateway({ targets: [target] })
    const session = await openSession(gateway.url)
    const stream = await session.listen()
    const running = session.call('a__who')
    await waitUntil(() => canary.calls === 1, 'the call to arrive')

    const [first] = target.variants
    const other = { name: 'third', weight: 0, mcp: { url: third.url } }
    gateway.apply(configOf({ targets: [{ name: 'a', variants: [first, other] as JsonObject[] }] }))
    await stream.next(TOOLS_CHANGED)
    expect(await who(session)).toBe('stable')
    open()
    expect(answererIn(await running)).toBe('canary')
    stream.close()
  })
})
