import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { startGateway } from '../support/gateway.js'
import { openSession } from '../support/raw-client.js'
import { startRawHttp } from '../support/raw-http-server.js'
import type { Handler } from '../support/upstream-server.js'
import { startEcho } from '../support/upstream-server.js'

/** Closes its stream, waits until the client has gone, tells of progress and answers. */
const breaking: Handler = async (_, { closeSSEStream, sendNotification, _meta: meta }) => {
  closeSSEStream?.()
  const progressToken = meta?.progressToken
  if (progressToken !== undefined) {
    await sendNotification({
      method: 'notifications/progress',
      params: { progressToken, progress: 1 },
    })
  }
  return { content: [{ type: 'text', text: 'after all' }] }
}

interface Scripted {
  /** Methods of the messages posted. */
  readonly posts: string[]
  readonly lastEventIds: (string | undefined)[]
}

/** A server whose answers to `tools/call` and to GET with an id are the test's. */
async function scripted(
  onCall: (response: ServerResponse, message: JsonObject) => void,
  onResume: (response: ServerResponse, call: JsonObject) => void,
) {
  const seen: Scripted = { posts: [], lastEventIds: [] }
  let call: JsonObject = {}
  const server = await startRawHttp((message, response, request) => {
    const method = message['method']
    if (request.method === 'GET') {
      const id = request.headers['last-event-id']
      if (id === undefined) return void response.writeHead(405).end()
      seen.lastEventIds.push(String(id))
      return onResume(response, call)
    }
    seen.posts.push(String(method))
    if (message['id'] === undefined) return void response.writeHead(202).end()
    if (method === 'tools/call') {
      call = message
      return onCall(response, message)
    }
    const result =
      method === 'initialize'
        ? {
            protocolVersion: '2025-11-25',
            capabilities: { tools: {} },
            serverInfo: { name: 'x', version: '1' },
          }
        : { tools: [{ name: 'bad', inputSchema: { type: 'object' } }] }
    response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 's' })
    response.end(JSON.stringify({ jsonrpc: '2.0', id: message['id'], result }))
  })
  return { server, seen, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

const stream = (response: ServerResponse, text: string): ServerResponse => {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(text)
  return response
}
const answer = ({ id }: JsonObject): string =>
  `id: 9\ndata: {"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"content":[]}}\n\n`

async function callThrough(url: string, timeouts: JsonObject = {}) {
  await using gateway = await startGateway({ targets: [{ name: 'a', mcp: { url }, timeouts }] })
  const session = await openSession(gateway.url)
  return (await session.call('a__bad')).json
}

describe('a server that closes the stream of a call', () => {
  it('before it answers is come back to, and the call is not repeated', async () => {
    await using upstream = await startEcho({
      events: { retryMs: 10 },
      handlers: { 'tools/call': breaking },
    })
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    const { messages } = await session.request('tools/call', {
      name: 'a__echo',
      _meta: { progressToken: 'p' },
    })
    expect(messages.map((it) => it['params'] ?? it['result'])).toEqual([
      { progress: 1, progressToken: 'p' },
      { content: [{ type: 'text', text: 'after all' }] },
    ])
    expect(upstream.asked('tools/call')).toHaveLength(1)
  })

  it('or whose connection breaks, is come back to after the time it asks for', async () => {
    const times: number[] = []
    await using it = await scripted(
      (response) => {
        stream(response, 'id: 1\nretry: 200\ndata: \n\n')
        times.push(performance.now())
        setImmediate(() => response.socket?.resetAndDestroy())
      },
      (response, call) => {
        times.push(performance.now())
        stream(response, answer(call)).end()
      },
    )
    expect(await callThrough(it.server.url)).toHaveProperty('result')
    expect(it.seen.lastEventIds).toEqual(['1'])
    expect(it.seen.posts.filter((method) => method === 'tools/call')).toHaveLength(1)
    const [first = 0, second = 0] = times
    expect(second - first).toBeGreaterThanOrEqual(199)
  })

  it.each([400, 404, 405])(
    'and answers %i when come back to fails that call, once',
    async (status) => {
      await using it = await scripted(
        (response) => void stream(response, 'id: 1\nretry: 1\ndata:\n\n').end(),
        (response) => void response.writeHead(status).end(),
      )
      expect(await callThrough(it.server.url)).toMatchObject({
        error: { code: -32603, data: { reason: 'protocol' } },
      })
      expect(it.seen.posts.filter((method) => method === 'tools/call')).toHaveLength(1)
    },
  )

  it('for ever, saying nothing new, fails the call', async () => {
    await using it = await scripted(
      (response) => void stream(response, 'id: 1\nretry: 1\n\n').end(),
      (response) => void stream(response, 'id: 1\ndata:\n\n').end(),
    )
    expect(await callThrough(it.server.url)).toMatchObject({
      error: { code: -32603, data: { reason: 'protocol' } },
    })
    expect(it.seen.lastEventIds.length).toBeLessThan(20)
  })

  it('for ever, saying something each time, fails the call when its time is up', async () => {
    let event = 1
    await using it = await scripted(
      (response) => void stream(response, 'id: 1\nretry: 1\n\n').end(),
      (response) => void stream(response, `id: ${++event}\ndata:\n\n`).end(),
    )
    expect(await callThrough(it.server.url, { call: '200ms' })).toMatchObject({
      error: { code: -32603, data: { reason: 'timeout' } },
    })
  })
})
