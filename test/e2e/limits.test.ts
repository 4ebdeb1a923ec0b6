/** Limits as clients of both eras meet them. */
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { problemsOf } from '../support/config.js'
import { startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import { get, openSession } from '../support/raw-client.js'
import type { Handler } from '../support/upstream-server.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

async function world(limits: readonly JsonObject[], handler?: Handler) {
  const upstream = await startEcho({
    resources: [{ uri: 'note://a', name: 'a' }],
    ...(handler === undefined ? {} : { handlers: { 'tools/call': handler } }),
  })
  const gateway = await startGateway({
    admin: { port: 0 },
    targets: [{ name: 'a', mcp: { url: upstream.url } }],
    limits,
  })
  return {
    upstream,
    gateway,
    [Symbol.asyncDispose]: async () => {
      await gateway[Symbol.asyncDispose]()
      await upstream[Symbol.asyncDispose]()
    },
  }
}

describe('a call beyond its limit', () => {
  it('is answered so that a model can read it, and leaves the session as it was', async () => {
    await using it = await world([{ per: ['session', 'tool'], rate: '2/1h' }])
    const session = await openSession(it.gateway.url)
    const call = () => session.call('a__echo', { a: 1 })
    expect([(await call()).headers['retry-after'], (await call()).status]).toEqual([undefined, 200])
    const limited = await call()
    expect([limited.status, limited.headers['retry-after']]).toEqual([200, '1800'])
    expect(limited.json['result']).toEqual({
      content: [{ type: 'text', text: 'This is called too often. Try again in 1800 seconds.' }],
      isError: true,
      _meta: { 'mcp-junction.dev/retryAfterMs': expect.any(Number) as number },
    })
    expect((await session.request('tools/list')).json).toHaveProperty('result')
    expect((await (await openSession(it.gateway.url)).call('a__echo')).json).toMatchObject({
      result: { content: [{ text: '{}' }] },
    })
    expect(it.upstream.asked('tools/call')).toHaveLength(3)
    const { text } = await get(`${it.gateway.adminUrl}/metrics`)
    expect(text).toContain(
      'mcp_junction_limited_total{method="tools/call",target="a",reason="rate"} 1',
    )
  })

  it.each(['tool', 'target'])(
    'of its %s is beyond it by every name and at every path',
    async (per) => {
      await using it = await world([{ per: [per], rate: '1/1h' }])
      const session = await openSession(it.gateway.url)
      const alone = await openSession(`${it.gateway.url}/a`)
      expect((await session.call('a__echo')).headers['retry-after']).toBeUndefined()
      for (const again of [session.call('echo'), session.call('a__echo'), alone.call('echo')]) {
        expect((await again).headers['retry-after']).toBe('3600')
      }
      expect(it.upstream.asked('tools/call')).toHaveLength(1)
    },
  )

  it('by a name of megabytes is beyond it as by any other', async () => {
    await using it = await world([{ per: ['tool'], rate: '1/1h' }])
    const session = await openSession(it.gateway.url)
    const name = 'x'.repeat(1_000_000)
    expect((await session.call(name)).headers['retry-after']).toBeUndefined()
    expect((await session.call(name)).headers['retry-after']).toBe('3600')
    expect((await session.call(`${name}y`)).headers['retry-after']).toBeUndefined()
  })

  it('of the newer era reads the same', async () => {
    await using it = await world([{ rate: '1/1m' }])
    const client = new ModernClient(it.gateway.url)
    expect((await client.call('a__echo')).status).toBe(200)
    const { status, headers, json } = await client.call('a__echo')
    expect([status, headers['retry-after']]).toEqual([200, '60'])
    expect(json['result']).toMatchObject({ resultType: 'complete', isError: true })
  })

  it('that is no tool is an error with the time to wait', async () => {
    await using it = await world([{ per: ['target'], methods: ['resources/read'], rate: '1/1m' }])
    const session = await openSession(it.gateway.url)
    await session.request('resources/read', { uri: 'note://a' })
    const { json } = await session.request('resources/read', { uri: 'note://a' })
    expect(json['error']).toMatchObject({
      code: -32010,
      data: { retryAfterMs: expect.any(Number) as number },
    })
    expect((await session.call('a__echo')).json).toHaveProperty('result')
  })

  it('of concurrency is let in when another has ended, be it by its client’s leaving', async () => {
    let isSlow = true
    const finish: (() => void)[] = []
    await using it = await world([{ concurrency: 2 }], async () => {
      if (isSlow) await new Promise<void>((resolve) => finish.push(resolve))
      return { content: [{ type: 'text', text: 'done' }] }
    })
    const session = await openSession(it.gateway.url)
    const leaving = new AbortController()
    const running = session.call('a__echo')
    const left = new ModernClient(it.gateway.url).call('a__echo', {}, { signal: leaving.signal })
    await waitUntil(() => finish.length === 2, 'two calls to run')
    const refused = await session.call('a__echo')
    expect(refused.json['result']).toMatchObject({
      isError: true,
      content: [{ text: 'Too many calls run at once. Try again in 1 second.' }],
    })
    isSlow = false
    leaving.abort()
    await left.catch(() => undefined)
    const isLetIn = async () => (await session.call('a__echo')).text.includes('done')
    await waitUntil(isLetIn, 'another call to be let in')
    for (const end of finish) end()
    expect((await running).json).toMatchObject({ result: { content: [{ text: 'done' }] } })
  })
})

describe('the configuration of limits', () => {
  it.each([
    ['{ rate: fast }', 'limits[0].rate: expected a rate such as'],
    ['{ rate: 0/1s }', 'limits[0].rate: expected a rate such as'],
    ['{ per: [tool] }', 'limits[0]: expected "rate", "concurrency", or both'],
    ['{ concurrency: 1, burst: 2 }', 'limits[0].burst: only a "rate" has a "burst"'],
    ['{ rate: 1/s, per: [everybody] }', 'limits[0].per[0]: expected'],
  ])('%s is refused', async (limit, problem) => {
    expect((await problemsOf(`limits: [${limit}]`)).join('\n')).toContain(problem)
  })
})
