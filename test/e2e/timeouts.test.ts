import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import { startModern, write } from '../support/modern-upstream.js'
import type { RawResponse, RawSession } from '../support/raw-client.js'
import { openSession } from '../support/raw-client.js'
import { SseServer } from '../support/sse-server.js'
import type { Handler } from '../support/upstream-server.js'
import { startUpstream } from '../support/upstream-server.js'

const schema = { type: 'object' } as const
const tools = ['hang', 'slow', 'slow_too'].map((name) => ({ name, inputSchema: schema }))
const never = () => new Promise<never>(() => undefined)
const TIMEOUT = { error: { code: -32603, data: { target: 'a', reason: 'timeout' } } }

/** `hang` never answers; the others do when they are told to. */
function slowly() {
  let finish: () => void = () => undefined
  const told = new Promise<void>((resolve) => (finish = resolve))
  const call: Handler = async ({ name }) => {
    await (name === 'hang' ? never() : told)
    return { content: [{ type: 'text', text: String(name) }] }
  }
  return { call, finish: () => finish() }
}

/** Makes the time for a call pass twice, without a look at any clock. */
async function outlast(hang: () => Promise<RawResponse>): Promise<void> {
  for (const json of [(await hang()).json, (await hang()).json]) {
    expect(json).toMatchObject(TIMEOUT)
  }
}

describe('the time for a call', () => {
  it('is that of its tool where the configuration says so; the first glob that fits holds', async () => {
    const { call, finish } = slowly()
    await using upstream = await startUpstream({ tools, handlers: { 'tools/call': call } })
    await using gateway = await startGateway({
      targets: [
        {
          name: 'a',
          mcp: { url: upstream.url },
          timeouts: { call: '1h', tools: { hang: '100ms', 'slow*': '0s', slow_too: '1ms' } },
        },
      ],
    })
    const session = await openSession(gateway.url)
    const patient = [session.call('a__slow'), session.call('a__slow_too')]
    await outlast(() => session.call('a__hang'))
    finish()
    for (const { json } of await Promise.all(patient)) expect(json).toMatchObject({ result: {} })
  })

  const progressing =
    (isLate: () => boolean): Handler =>
    async ({ name, _meta }, { sendNotification }) => {
      if (name === 'hang') await never()
      const { progressToken } = _meta as { progressToken: number }
      for (let progress = 1; !isLate(); progress++) {
        const params = { progressToken, progress }
        await sendNotification({ method: 'notifications/progress', params })
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      return { content: [] }
    }
  const withProgress = (session: RawSession) =>
    session.request('tools/call', { name: 'a__slow', _meta: { progressToken: 'p' } })

  it('begins anew with progress', async () => {
    let isLate = false
    const handlers = { 'tools/call': progressing(() => isLate) }
    await using upstream = await startUpstream({ tools, handlers })
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url }, timeouts: { call: '300ms' } }],
    })
    const session = await openSession(gateway.url)
    const going = withProgress(session)
    await outlast(() => session.call('a__hang'))
    isLate = true
    expect((await going).json).toMatchObject({ result: {} })
  })

  it('does not begin anew with progress where it shall not', async () => {
    let isOver = false
    const handlers = { 'tools/call': progressing(() => isOver) }
    await using upstream = await startUpstream({ tools, handlers })
    await using gateway = await startGateway({
      targets: [
        {
          name: 'a',
          mcp: { url: upstream.url },
          timeouts: { call: '300ms', resetOnProgress: false },
        },
      ],
    })
    const { messages } = await withProgress(await openSession(gateway.url))
    isOver = true
    expect(messages.at(-1)).toMatchObject(TIMEOUT)
    expect(messages.length).toBeGreaterThan(1)
  })

  it('does not begin anew with progress of a server of 2026-07-28 either', async () => {
    await using upstream = await startModern({
      tools,
      handlers: {
        'tools/call': async ({ meta }, response) => {
          response.writeHead(200, { 'content-type': 'text/event-stream' })
          for (let progress = 1; !response.destroyed; progress++) {
            const params = { progressToken: meta['progressToken'] ?? null, progress }
            write(response, { method: 'notifications/progress', params })
            await new Promise((resolve) => setTimeout(resolve, 20))
          }
          return undefined
        },
      },
    })
    await using gateway = await startGateway({
      targets: [
        {
          name: 'a',
          mcp: { url: upstream.url },
          timeouts: { call: '300ms', resetOnProgress: false },
        },
      ],
    })
    const meta = { progressToken: 'p' }
    const { messages } = await new ModernClient(gateway.url).call('a__slow', {}, { meta })
    expect(messages.at(-1)).toMatchObject(TIMEOUT)
    expect(messages.length).toBeGreaterThan(1)
  })
})

describe('a stream that lives long outlasts the time for a call', () => {
  const timeouts = { call: '100ms' }
  const changed = 'notifications/tools/list_changed'

  it('towards a server of the 2025 era and towards its client: the GET streams', async () => {
    await using upstream = await startUpstream({ tools, handlers: { 'tools/call': never } })
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url }, timeouts }],
    })
    const session = await openSession(gateway.url)
    const stream = await session.listen()
    const { streams } = upstream
    await outlast(() => session.call('a__hang'))
    upstream.lists.tools = []
    await upstream.notifyListChanged('tools')
    await stream.next(changed)
    expect(upstream.streams).toBe(streams)
    stream.close()
  })

  it('towards a server of 2026-07-28 and towards its client: subscriptions/listen', async () => {
    await using upstream = await startModern({ tools, handlers: { 'tools/call': never } })
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url }, timeouts }],
    })
    const client = new ModernClient(gateway.url)
    const stream = await client.begin('subscriptions/listen', {
      notifications: { toolsListChanged: true },
    })
    const listens = upstream.listens.map(({ id }) => id)
    await outlast(() => client.call('a__hang'))
    upstream.tools = []
    upstream.tell(changed)
    await stream.next(changed)
    expect(upstream.listens.map(({ id }) => id)).toEqual(listens)
    stream.close()
  })

  it('towards a server of HTTP+SSE', async () => {
    let isHanging = true
    const answer = (): JsonObject | Promise<never> => (isHanging ? never() : { content: [] })
    await using upstream = await SseServer.start(answer)
    await using gateway = await startGateway({
      targets: [{ name: 'a', sse: { url: upstream.url }, timeouts }],
    })
    const session = await openSession(gateway.url)
    await outlast(() => session.call('a__tool'))
    const { length } = upstream.headers.filter((it) => it['content-type'] === undefined)
    isHanging = false
    expect((await session.call('a__tool')).json).toMatchObject({ result: {} })
    expect(upstream.headers.filter((it) => it['content-type'] === undefined)).toHaveLength(length)
  })
})
