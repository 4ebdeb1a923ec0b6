import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { childServer } from '../support/child-server.js'
import { startGateway } from '../support/gateway.js'
import { openSession } from '../support/raw-client.js'
import type { Handler, UpstreamOptions } from '../support/upstream-server.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

/** A tool that says one thing at each level, then answers. */
const talking: Handler = async (_, { sendNotification }) => {
  for (const level of ['debug', 'info', 'warning', 'emergency'] as const) {
    const params = { level, logger: 'db', data: { said: level, n: 1.5 }, odd: true }
    await sendNotification({ method: 'notifications/message', params })
  }
  return { content: [] }
}
const options: UpstreamOptions = {
  capabilities: { logging: {} },
  handlers: { 'tools/call': talking, 'logging/setLevel': () => ({}) },
}

const levels = (messages: readonly JsonObject[]): unknown[] =>
  messages
    .filter((it) => it['method'] === 'notifications/message')
    .map((it) => (it['params'] as JsonObject)['level'])

describe('log messages', () => {
  it('come on the stream of the call, say which target speaks, and are otherwise as sent', async () => {
    await using upstream = await startEcho(options)
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    expect(session.initialized['capabilities']).toMatchObject({ logging: {} })
    const { messages } = await session.call('a__echo')
    expect(messages[0]?.['params']).toEqual({
      level: 'debug',
      logger: 'a/db',
      data: { said: 'debug', n: 1.5 },
      odd: true,
    })
    expect(messages.at(-1)).toMatchObject({ result: {} })
  })

  it('are only those that this client asked for', async () => {
    await using upstream = await startEcho(options)
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const quiet = await openSession(gateway.url)
    const curious = await openSession(gateway.url)
    expect((await quiet.request('logging/setLevel', { level: 'warning' })).json).toMatchObject({
      result: {},
    })
    expect(levels((await quiet.call('a__echo')).messages)).toEqual(['warning', 'emergency'])
    expect(levels((await curious.call('a__echo')).messages)).toHaveLength(4)
    for (const level of ['loud', 7, undefined]) {
      const params = level === undefined ? {} : { level }
      const { json } = await quiet.request('logging/setLevel', params)
      expect(json).toMatchObject({ error: { code: -32602 } })
    }
  })

  it('are asked for at every server the client uses, at once or when it comes to use it', async () => {
    await using used = await startEcho(options)
    await using later = await startEcho(options)
    await using without = await startEcho()
    await using gateway = await startGateway({
      targets: [
        { name: 'used', mcp: { url: used.url } },
        { name: 'later', mcp: { url: later.url } },
        { name: 'without', mcp: { url: without.url } },
      ],
    })
    const session = await openSession(gateway.url)
    await session.call('used__echo')
    await session.request('logging/setLevel', { level: 'error' })
    expect(used.asked('logging/setLevel').map((it) => it.params)).toEqual([{ level: 'error' }])
    expect(later.asked('logging/setLevel')).toEqual([])
    await session.call('later__echo')
    await session.call('without__echo')
    expect(later.received.slice(-2).map((it) => it.method)).toEqual([
      'logging/setLevel',
      'tools/call',
    ])
    expect(without.asked('logging/setLevel')).toEqual([])

    // A server that starts again has forgotten.
    await used.kill()
    await used.start()
    used.received.length = 0
    await session.call('used__echo')
    expect(used.asked('logging/setLevel').map((it) => it.params)).toEqual([{ level: 'error' }])
  })

  it('that a server will not give at that level keep nobody from calling it', async () => {
    const stubborn = () => {
      throw Object.assign(new Error('never'), { code: -32603 })
    }
    await using upstream = await startEcho({
      ...options,
      handlers: { ...options.handlers, 'logging/setLevel': stubborn },
    })
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    await session.request('logging/setLevel', { level: 'error' })
    const { messages } = await session.call('a__echo')
    expect(upstream.asked('logging/setLevel')).toHaveLength(1)
    expect(levels(messages)).toEqual(['emergency'])
    expect(messages.at(-1)).toMatchObject({ result: {} })
  })

  it('of a shared child are as talkative as the most curious wants, and each hears its own', async () => {
    await using gateway = await startGateway({
      targets: [{ name: 'a', stdio: childServer('logging') }],
    })
    const quiet = await openSession(gateway.url)
    const curious = await openSession(gateway.url)
    await quiet.request('logging/setLevel', { level: 'error' })
    await curious.request('logging/setLevel', { level: 'debug' })
    expect(levels((await curious.call('a__talk')).messages)).toEqual(['debug', 'error'])
    expect(levels((await quiet.call('a__talk')).messages)).toEqual(['error'])
    await curious.delete()
    // With one client left, what belongs to no call is for it.
    const stream = await quiet.listen()
    await quiet.call('a__talk-later')
    await waitUntil(() => levels(stream.messages).length > 0, 'the late message')
    expect(levels(stream.messages)).toEqual(['error'])
    stream.close()
  })
})
