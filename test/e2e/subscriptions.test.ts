import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { spawnGateway, startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import type { Stream } from '../support/raw-client.js'
import { openSession } from '../support/raw-client.js'
import type { Handler, UpstreamOptions } from '../support/upstream-server.js'
import { startEcho, startUpstream } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const options: UpstreamOptions = {
  resources: [
    { uri: 'demo://doc', name: 'doc' },
    { uri: 'demo://dir', name: 'dir' },
  ],
  capabilities: { resources: { subscribe: true } },
  handlers: {
    'resources/subscribe': () => ({}),
    'resources/unsubscribe': () => ({}),
  },
}

const updates = (stream: Stream): unknown[] =>
  stream.messages
    .filter((it) => it['method'] === 'notifications/resources/updated')
    .map((it) => (it['params'] as JsonObject)['uri'])

describe('a subscription to a resource', () => {
  it('is refused where its client follows a thousand of that server', async () => {
    const resources = Array.from({ length: 1_001 }, (_, index) => ({
      uri: `demo://${index}`,
      name: String(index),
    }))
    await using upstream = await startUpstream({ ...options, resources })
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    const follow = async (uri: string) =>
      (await session.request('resources/subscribe', { uri })).json
    for (const { uri } of resources.slice(0, 1_000)) await follow(uri)
    expect(await follow('demo://1000')).toMatchObject({ error: { code: -32600 } })
    await session.request('resources/unsubscribe', { uri: 'demo://7' })
    expect(await follow('demo://1000')).toMatchObject({ result: {} })
  })

  it('brings its changes, and those of its parts, to the subscriber and to nobody else', async () => {
    await using upstream = await startUpstream(options)
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    expect(session.initialized['capabilities']).toMatchObject({ resources: { subscribe: true } })
    const other = await openSession(gateway.url)
    const [stream, quiet] = await Promise.all([session.listen(), other.listen()])
    await session.request('resources/subscribe', { uri: 'demo://dir' })
    for (const uri of ['demo://doc', 'demo://dir', 'demo://dir/file']) {
      await upstream.notifyUpdated(uri)
    }
    await waitUntil(() => updates(stream).length === 2, 'both changes')
    expect(updates(stream)).toEqual(['demo://dir', 'demo://dir/file'])

    await session.request('resources/unsubscribe', { uri: 'demo://dir' })
    expect(upstream.asked('resources/unsubscribe').map((it) => it.params)).toEqual([
      { uri: 'demo://dir' },
    ])
    await session.request('resources/subscribe', { uri: 'demo://doc' })
    for (const uri of ['demo://dir', 'demo://doc']) await upstream.notifyUpdated(uri)
    await waitUntil(() => updates(stream).length === 3, 'the third change')
    expect(updates(stream).at(-1)).toBe('demo://doc')
    expect(quiet.messages).toEqual([])
    stream.close()
    quiet.close()
  })

  it('brings a change that is told of before it is answered', async () => {
    const early: Handler = async (_, { sendNotification }) => {
      await upstream.notifyUpdated('demo://doc')
      // On the way of the answer, so that nothing overtakes it.
      await sendNotification({
        method: 'notifications/resources/updated',
        params: { uri: 'demo://doc' },
      })
      return {}
    }
    const handlers = { ...options.handlers, 'resources/subscribe': early }
    await using upstream = await startUpstream({ ...options, handlers })
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    const stream = await session.listen()
    await session.request('resources/subscribe', { uri: 'demo://doc' })
    await waitUntil(() => updates(stream).length > 0, 'the change')
    expect(new Set(updates(stream))).toEqual(new Set(['demo://doc']))
    stream.close()
  })

  it('goes to the owner and names the resource as the client does, where two servers share it', async () => {
    await using a = await startUpstream(options)
    await using b = await startUpstream(options)
    await using gateway = await startGateway({
      targets: [
        { name: 'a', mcp: { url: a.url } },
        { name: 'b', mcp: { url: b.url } },
      ],
    })
    const session = await openSession(gateway.url)
    const stream = await session.listen()
    await session.request('resources/subscribe', { uri: 'demo://b/doc' })
    expect(b.asked('resources/subscribe').map((it) => it.params)).toEqual([{ uri: 'demo://doc' }])
    expect(a.asked('resources/subscribe')).toEqual([])
    await a.notifyUpdated('demo://doc')
    await b.notifyUpdated('demo://doc')
    await waitUntil(() => updates(stream).length > 0, 'the change')
    expect(updates(stream)).toEqual(['demo://b/doc'])
    stream.close()
  })

  it('lives on when the server starts again, without a request of the client’s', async () => {
    await using upstream = await startUpstream(options)
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    const stream = await session.listen()
    await session.request('resources/subscribe', { uri: 'demo://doc' })
    await upstream.kill()
    upstream.received.length = 0
    await upstream.start()
    await waitUntil(
      () => upstream.asked('resources/subscribe').length === 1,
      'the new subscription',
    )
    await waitUntil(async () => {
      await upstream.notifyUpdated('demo://doc')
      return updates(stream).length > 0
    }, 'a change')
    stream.close()
  })

  it('is made in a new session where the server has forgotten the old one', async () => {
    await using upstream = await startEcho({ ...options, handlers: { ...options.handlers } })
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    // From here on it has a session there, on which nothing shows that the server is another.
    await session.call('a__echo')
    await upstream.kill()
    await upstream.start()
    await waitUntil(() => upstream.sessions > 0, 'the gateway to connect anew')
    const { json } = await session.request('resources/subscribe', { uri: 'demo://doc' })
    expect(json).toMatchObject({ result: {} })
  })

  it('is made in a new session also where other requests find out first', async () => {
    await using upstream = await startEcho({ ...options, handlers: { ...options.handlers } })
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    for (let time = 0; time < 5; time++) {
      await session.call('a__echo')
      await upstream.kill()
      await upstream.start()
      await waitUntil(() => upstream.sessions > 0, 'the gateway to connect anew')
      const answers = await Promise.all([
        session.call('a__echo'),
        session.request('resources/subscribe', { uri: 'demo://doc' }),
        session.call('a__echo'),
        session.request('resources/subscribe', { uri: 'demo://dir' }),
      ])
      for (const { json } of answers) expect(json).toMatchObject({ result: {} })
      for (const uri of ['demo://doc', 'demo://dir']) {
        await session.request('resources/unsubscribe', { uri })
      }
    }
  })

  it('goes along when its target is connected anew, because its settings changed', async () => {
    await using upstream = await startUpstream(options)
    const target = { name: 'a', mcp: { url: upstream.url } }
    await using gateway = await spawnGateway({ targets: [target] })
    const session = await openSession(gateway.url)
    const stream = await session.listen()
    await session.request('resources/subscribe', { uri: 'demo://doc' })
    await session.request('resources/subscribe', { uri: 'demo://dir' })
    await session.request('resources/unsubscribe', { uri: 'demo://dir' })
    for (const call of ['10s', '11s']) {
      upstream.received.length = 0
      await gateway.reconfigure({ targets: [{ ...target, timeouts: { call } }] })
      await waitUntil(() => upstream.asked('resources/subscribe').length > 0, 'it to go along')
      await waitUntil(() => upstream.sessions === 2, 'the sessions before to end')
    }
    await upstream.notifyUpdated('demo://dir')
    await upstream.notifyUpdated('demo://doc')
    await waitUntil(() => updates(stream).length > 0, 'the change')
    expect(updates(stream)).toEqual(['demo://doc'])
    await session.delete()
    await waitUntil(() => upstream.sessions === 1, 'the upstream session to end')
    stream.close()
  })

  it('is made, and goes along, where the settings change while it is being made', async () => {
    let answer: () => void = () => undefined
    const slow: Handler = async () => {
      await new Promise<void>((resolve) => (answer = resolve))
      return {}
    }
    await using upstream = await startUpstream({
      ...options,
      handlers: { ...options.handlers, 'resources/subscribe': slow },
    })
    const target = { name: 'a', mcp: { url: upstream.url } }
    await using gateway = await spawnGateway({ targets: [target] })
    const session = await openSession(gateway.url)
    const stream = await session.listen()
    const following = session.request('resources/subscribe', { uri: 'demo://doc' })
    await waitUntil(() => upstream.asked('resources/subscribe').length === 1, 'it to be asked for')
    await gateway.reconfigure({ targets: [{ ...target, timeouts: { call: '10s' } }] })
    await waitUntil(() => upstream.sessions === 3, 'the target to be connected anew')
    answer()
    expect((await following).json).toMatchObject({ result: {} })
    await waitUntil(() => upstream.asked('resources/subscribe').length === 2, 'it to go along')
    answer()
    await waitUntil(async () => {
      await upstream.notifyUpdated('demo://doc')
      return updates(stream).length > 0
    }, 'a change')
    stream.close()
  })

  it('of 2026-07-28 goes along as well', async () => {
    await using upstream = await startUpstream(options)
    const target = { name: 'a', mcp: { url: upstream.url } }
    await using gateway = await spawnGateway({ targets: [target] })
    const notifications = { resourceSubscriptions: ['demo://doc'] }
    const client = new ModernClient(gateway.url)
    const stream = await client.begin('subscriptions/listen', { notifications })
    await stream.next('notifications/subscriptions/acknowledged')
    upstream.received.length = 0
    await gateway.reconfigure({ targets: [{ ...target, timeouts: { call: '10s' } }] })
    await waitUntil(() => upstream.asked('resources/subscribe').length === 1, 'it to go along')
    await waitUntil(async () => {
      await upstream.notifyUpdated('demo://doc')
      return updates(stream).length > 0
    }, 'a change')
    stream.close()
    await waitUntil(() => upstream.sessions === 1, 'the upstream session to end')
  })

  it('ends with the session', async () => {
    await using upstream = await startUpstream(options)
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    await session.request('resources/subscribe', { uri: 'demo://doc' })
    expect(upstream.sessions).toBe(2)
    await session.delete()
    await waitUntil(() => upstream.sessions === 1, 'the upstream session to end')
  })

  it('is refused for what nobody has, and where the server knows none', async () => {
    await using upstream = await startUpstream(options)
    await using plain = await startEcho({ resources: [{ uri: 'plain://x', name: 'x' }] })
    await using gateway = await startGateway({
      targets: [
        { name: 'a', mcp: { url: upstream.url } },
        { name: 'plain', mcp: { url: plain.url } },
      ],
    })
    const session = await openSession(gateway.url)
    for (const [uri, code] of [
      ['demo://nothing', -32002],
      ['plain://x', -32601],
      [7, -32602],
    ] as const) {
      const { json } = await session.request('resources/subscribe', { uri })
      expect(json).toMatchObject({ error: { code } })
    }
    expect(plain.asked('resources/subscribe')).toEqual([])
  })
})
