import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { startGateway } from '../support/gateway.js'
import type { Stream } from '../support/raw-client.js'
import { openSession } from '../support/raw-client.js'
import { startRawHttp } from '../support/raw-http-server.js'
import { SseServer } from '../support/sse-server.js'
import type { Handler } from '../support/upstream-server.js'
import { echo, startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

/** Reports progress, asks the client, and gives back what it said. */
const busy: Handler = async ({ arguments: given }, { sendNotification, sendRequest, _meta }) => {
  const progressToken = _meta?.progressToken
  if (progressToken !== undefined) {
    await sendNotification({
      method: 'notifications/progress',
      params: { progressToken, progress: 1 },
    })
  }
  if ((given as JsonObject | undefined)?.['ask'] !== true)
    return echo({ arguments: given ?? null }, {} as never)
  const { ElicitResultSchema } = await import('@modelcontextprotocol/sdk/types.js')
  const requestedSchema = { type: 'object', properties: {} } as const
  const params = { message: 'Who?', requestedSchema }
  const answer = await sendRequest({ method: 'elicitation/create', params }, ElicitResultSchema)
  return { content: [{ type: 'text', text: JSON.stringify(answer) }] }
}

const asked = (stream: Stream) =>
  stream.messages.find((it) => it['method'] === 'elicitation/create')?.['id'] ?? null

describe('a server that speaks HTTP+SSE', () => {
  it.each(['sse', 'mcp'])(
    'is served as an %s target, with progress and questions',
    async (kind) => {
      await using server = await SseServer.start(busy)
      await using gateway = await startGateway({
        targets: [{ name: 'old', [kind]: { url: server.url } }],
      })
      const session = await openSession(gateway.url, undefined, { elicitation: {} })
      const { json } = await session.call('old__tool', { x: 1 })
      expect(json).toMatchObject({ result: { content: [{ text: '{"x":1}' }] } })
      const stream = await session.begin('tools/call', {
        name: 'old__tool',
        arguments: { ask: true },
        _meta: { progressToken: 'p' },
      })
      await waitUntil(() => asked(stream) !== null, 'the question')
      await session.answer(asked(stream), { action: 'decline' })
      await stream.ended
      expect(stream.messages.map((it) => it['method'] ?? 'answer')).toEqual([
        'notifications/progress',
        'elicitation/create',
        'answer',
      ])
      expect(JSON.stringify(stream.messages.at(-1))).toContain('decline')
      expect(server.sessions).toBe(2)
      await session.delete()
      await waitUntil(() => server.sessions === 1, 'the session to end')
    },
  )

  it('is found again after it was away, with new sessions, and its list changes are heard', async () => {
    await using server = await SseServer.start(busy)
    await using gateway = await startGateway({
      targets: [{ name: 'old', sse: { url: server.url } }],
    })
    const session = await openSession(gateway.url)
    await session.call('old__tool')
    await server.kill()
    await waitUntil(() => gateway.readiness().targets[0]?.ready === false, 'the loss to be noticed')
    expect((await session.call('old__tool')).json).toMatchObject({ error: { code: -32603 } })
    await server.start()
    await waitUntil(() => gateway.readiness().targets[0]?.ready === true, 'the return')
    expect((await session.call('old__tool')).json).toMatchObject({ result: {} })
    await server.notifyToolsChanged()
    expect((await session.request('tools/list')).json).toMatchObject({ result: {} })
  })

  it.each([
    ['http://127.0.0.1:1/messages', 'another origin'],
    ['//evil.example/messages', 'another origin'],
    ['http://[', 'another origin'],
  ])('is not believed when it sends us to %s', async (address, reason) => {
    await using bad = await startRawHttp((_, response, request) => {
      if (request.method !== 'GET') return void response.writeHead(404).end()
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(`event: endpoint\ndata: ${address}\n\n`)
    })
    await using good = await startEcho()
    await using gateway = await startGateway({
      targets: [
        { name: 'bad', sse: { url: bad.url } },
        { name: 'good', mcp: { url: good.url } },
      ],
    })
    expect(gateway.readiness().targets[0]?.reason).toContain(reason)
    const session = await openSession(gateway.url)
    expect((await session.call('good__echo')).json).toMatchObject({ result: {} })
  })

  it('that never names an address is given up after the deadline', async () => {
    await using mute = await startRawHttp((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(': hello\n\n')
    })
    await using gateway = await startGateway({
      targets: [{ name: 'mute', sse: { url: mute.url }, timeouts: { open: '150ms' } }],
    })
    expect(gateway.readiness().targets[0]?.reason).toContain('150 ms')
  })
})
