import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import {
  ElicitRequestSchema,
  ElicitResultSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { describe, expect, it } from 'vitest'
import { startGateway } from '../support/gateway.js'
import { initializeRequest, post, send } from '../support/raw-client.js'
import { startTwo } from '../support/replicas.js'
import { ADA, authentication, BOB } from '../support/two-principals.js'
import type { Handler } from '../support/upstream-server.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

/** Reports progress, asks the client, and gives back what it said. */
const busy: Handler = async (_, { sendNotification, sendRequest, _meta }) => {
  const progressToken = _meta?.progressToken
  if (progressToken !== undefined) {
    await sendNotification({
      method: 'notifications/progress',
      params: { progressToken, progress: 1 },
    })
  }
  const requestedSchema = { type: 'object', properties: {} } as const
  const params = { message: 'Who?', requestedSchema }
  const answer = await sendRequest({ method: 'elicitation/create', params }, ElicitResultSchema)
  return { content: [{ type: 'text', text: JSON.stringify(answer) }] }
}

async function world(legacySse: boolean) {
  const upstream = await startEcho({ handlers: { 'tools/call': busy } })
  const gateway = await startGateway({
    targets: [{ name: 'a', mcp: { url: upstream.url } }],
    listen: { legacySse },
  })
  return {
    upstream,
    sse: new URL('/sse', gateway.url),
    messages: new URL('/messages', gateway.url),
    gateway,
    [Symbol.asyncDispose]: async () => {
      await gateway.close()
      await upstream[Symbol.asyncDispose]()
    },
  }
}

describe('a client of HTTP+SSE', () => {
  it('lists, calls, hears progress, is asked, and is told of changes; its session ends with it', async () => {
    await using it = await world(true)
    const client = new Client({ name: 'old', version: '1' }, { capabilities: { elicitation: {} } })
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => ({
      action: 'accept',
      content: { asked: params.message },
    }))
    let changes = 0
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => void changes++)
    await client.connect(new SSEClientTransport(it.sse))
    expect((await client.listTools()).tools.map((tool) => tool.name)).toEqual(['a__echo'])
    const progress: number[] = []
    const { content } = await client.callTool({ name: 'a__echo' }, undefined, {
      onprogress: (step) => progress.push(step.progress),
    })
    expect(JSON.stringify(content)).toContain('[a] Who?')
    expect(progress).toEqual([1])
    await expect(client.callTool({ name: 'nope' })).rejects.toThrow('Unknown tool')
    expect(it.upstream.sessions).toBe(2)

    it.upstream.lists.tools = []
    await it.upstream.notifyListChanged('tools')
    await waitUntil(() => changes === 1, 'the change')
    await client.close()
    await waitUntil(() => it.upstream.sessions === 1, 'the session to end')
  })

  it('is served wherever what it posts comes, by the one that has its stream; nobody else by its key', async () => {
    await using upstream = await startEcho({ handlers: { 'tools/call': busy } })
    await using replicas = await startTwo({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      listen: { legacySse: true },
      authentication,
    })
    const client = new Client({ name: 'old', version: '1' }, { capabilities: { elicitation: {} } })
    client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'decline' }))
    let posted = ''
    /** A balancer that takes turns. */
    let turn = 0
    const transport = new SSEClientTransport(new URL('/sse', replicas.here), {
      requestInit: { headers: ADA },
      eventSourceInit: {
        fetch: (url, init) => fetch(url, { ...init, headers: { ...init?.headers, ...ADA } }),
      },
      fetch: (url, init) => {
        const { pathname, search } = new URL(url)
        posted = search
        const at = init?.method === 'POST' && turn++ % 2 === 0 ? replicas.there : replicas.here
        return fetch(new URL(pathname + search, at), init)
      },
    })
    await client.connect(transport)
    for (let count = 0; count < 3; count++) {
      expect(JSON.stringify(await client.callTool({ name: 'a__echo' }))).toContain('decline')
    }
    expect(turn).toBeGreaterThan(6)
    const ping = { jsonrpc: '2.0', id: 'p', method: 'ping' }
    const there = new URL(`/messages${posted}`, replicas.there)
    expect((await post(there.href, ping, ADA)).status).toBe(202)
    expect((await post(there.href, ping, BOB)).status).toBe(404)
    expect((await post(`${there.href}x`, ping, ADA)).status).toBe(404)
    await replicas.gateways[0]?.close()
    expect((await post(there.href, ping, ADA)).status).toBe(404)
    await client.close()
  })

  it('is not served unless that is switched on', async () => {
    await using it = await world(false)
    const accept = 'text/event-stream'
    expect((await send('GET', it.sse.href, undefined, { accept })).status).toBe(404)
    expect((await post(it.messages.href, initializeRequest())).status).toBe(404)
  })

  it('cannot post for another, nor before it has opened its session', async () => {
    await using it = await world(true)
    for (const key of ['', '?sessionId=', '?sessionId=guessed']) {
      expect((await post(it.messages.href + key, initializeRequest())).status).toBe(404)
    }
    const evil = { origin: 'https://evil.example', accept: 'text/event-stream' }
    expect((await send('GET', it.sse.href, undefined, evil)).status).toBe(403)
    const { request } = await import('node:http')
    const key = await new Promise<string>((resolve) => {
      const stream = request(it.sse, { headers: { accept: 'text/event-stream' } }, (response) => {
        response.once('data', (chunk: Buffer) => {
          resolve(/sessionId=(\S+)/.exec(String(chunk))?.[1] ?? '')
        })
      })
      stream.on('error', () => undefined)
      stream.end()
    })
    expect(key).toMatch(/^[\w-]{43}$/)
    const url = `${it.messages.href}?sessionId=${key}`
    const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }
    expect((await post(url, ping)).status).toBe(400)
    expect((await post(url, [ping])).status).toBe(400)
    expect((await post(url, '{')).status).toBe(400)
    expect((await post(url, initializeRequest('2024-11-05'))).status).toBe(202)
    expect((await post(url, initializeRequest('2024-11-05'))).status).toBe(400)
    expect((await post(url, ping)).status).toBe(202)
  })
})
