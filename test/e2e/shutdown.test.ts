/** What clients see of a gateway that stops, and of one that has just been started. */
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { startGateway as startUnready } from '../../src/gateway.js'
import { createLogger } from '../../src/telemetry/logging.js'
import { configOf, spawnGateway, startGateway } from '../support/gateway.js'
import { isRefused } from '../support/is-refused.js'
import { ModernClient } from '../support/modern-client.js'
import { get, openSession } from '../support/raw-client.js'
import type { Handler } from '../support/upstream-server.js'
import { echo, startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

/** Calls that are answered when the test says so. */
function held() {
  let release: () => void = () => undefined
  const released = new Promise<void>((resolve) => (release = resolve))
  const handler: Handler = async (params) => {
    await released
    return echo(params, {} as never)
  }
  return { handler, release: () => release() }
}
const drained = (drain: object) => ({ listen: { drain: { ...drain } } })

describe('a gateway that is told to stop', () => {
  it('is out of service first, and serves everybody until that is known: new sessions too, each answer the last of its connection', async () => {
    await using upstream = await startEcho()
    const gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      ...drained({ delay: '2s' }),
    })
    const readyz = gateway.url.replace('/mcp', '/readyz')
    const session = await openSession(gateway.url)
    const stream = await session.listen()
    expect((await session.call('a__echo')).headers.connection).toBe('keep-alive')
    const closed = gateway.close()
    const probe = await get(readyz)
    expect(probe).toMatchObject({ status: 503, json: { ready: false, isStopping: true } })
    const late = await openSession(gateway.url)
    for (const it of [session, late]) {
      const { status, headers } = await it.call('a__echo')
      expect([status, headers.connection]).toEqual([200, 'close'])
    }
    expect((await get(readyz.replace('readyz', 'healthz'))).status).toBe(200)
    await stream.ended
    await waitUntil(() => isRefused(gateway.port), 'connections to be refused')
    await closed
  })

  it('ends its streams when it takes no more connections: with a time to come back after, and a result', async () => {
    const { handler, release } = held()
    await using upstream = await startEcho({ handlers: { 'tools/call': handler } })
    const gateway = await startGateway({ targets: [{ name: 'a', mcp: { url: upstream.url } }] })
    const session = await openSession(gateway.url)
    const notifications = { toolsListChanged: true }
    const modern = await new ModernClient(gateway.url).begin('subscriptions/listen', {
      notifications,
    })
    await modern.next('notifications/subscriptions/acknowledged')
    const general = get(gateway.url, { ...session.headers, accept: 'text/event-stream' })
    const call = session.call('a__echo', { last: true })
    await waitUntil(() => upstream.asked('tools/call').length === 1, 'the call to arrive')
    const closed = gateway.close()
    await modern.ended
    expect(modern.messages.at(-1)).toMatchObject({ result: { resultType: 'complete' } })
    expect((await general).text).toMatch(/\nretry: \d{3}\n\n$/)
    release()
    expect((await call).json).toMatchObject({ result: { content: [{ text: '{"last":true}' }] } })
    await closed
  })

  it('answers calls that take too long with an error, and does not just break them off', async () => {
    const { handler, release } = held()
    await using upstream = await startEcho({ handlers: { 'tools/call': handler } })
    const gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      ...drained({ deadline: '50ms' }),
    })
    const session = await openSession(gateway.url)
    const calls = [session.call('a__echo'), new ModernClient(gateway.url).call('a__echo')]
    await waitUntil(() => upstream.asked('tools/call').length === 2, 'the calls to arrive')
    await gateway.close()
    for (const { json } of await Promise.all(calls)) {
      expect(json).toMatchObject({ error: { code: -32603, data: { target: 'a' } } })
    }
    release()
  })

  it('exits at once when it is told a second time', async () => {
    const { handler, release } = held()
    await using upstream = await startEcho({ handlers: { 'tools/call': handler } })
    await using gateway = await spawnGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      ...drained({ delay: '1h' }),
    })
    const call = (await openSession(gateway.url)).call('a__echo').catch((error: unknown) => error)
    await waitUntil(() => upstream.asked('tools/call').length === 1, 'the call to arrive')
    const exited = once(gateway.process, 'exit')
    gateway.process.kill('SIGTERM')
    await waitUntil(() => gateway.log.some((it) => it['msg'] === 'stopping'), 'the first signal')
    gateway.process.kill('SIGTERM')
    expect(await exited).toEqual([1, null])
    expect(await call).toBeInstanceOf(Error)
    release()
  })
})

describe('a gateway that has just been started', () => {
  it('lets calls wait for servers that have not been heard of yet, in both eras', async () => {
    const { handler, release } = held()
    const list: Handler = async (params, extra) => {
      await handler(params, extra)
      return { tools: [{ name: 'echo', inputSchema: { type: 'object' } }] }
    }
    await using upstream = await startEcho({ handlers: { 'tools/list': list } })
    const config = configOf({ targets: [{ name: 'a', mcp: { url: upstream.url } }] })
    const gateway = await startUnready(config, { logger: createLogger('silent') })
    const session = await openSession(gateway.url)
    const calls = [session.call('a__echo'), new ModernClient(gateway.url).call('a__echo')]
    await waitUntil(() => upstream.asked('tools/list').length > 0, 'the lists to be read')
    expect((await session.request('ping')).status).toBe(200)
    release()
    for (const { json } of await Promise.all(calls)) expect(json).toMatchObject({ result: {} })
    await gateway.close()
  })
})
