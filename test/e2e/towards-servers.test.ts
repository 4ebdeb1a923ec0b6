import { describe, expect, it } from 'vitest'
import { startGateway } from '../support/gateway.js'
import { openSession } from '../support/raw-client.js'
import { answerJson, startRawHttp } from '../support/raw-http-server.js'
import type { Handler } from '../support/upstream-server.js'
import { startEcho } from '../support/upstream-server.js'

describe('towards a server, the gateway', () => {
  it('asks what it speaks, then says initialize, initialized and the rest, and waits for each [R62]', async () => {
    const said: string[] = []
    let pending = 0
    await using server = await startRawHttp((message, response, request) => {
      if (request.method !== 'POST') return void response.writeHead(405).end()
      said.push(String(message['method']))
      expect(pending).toBe(0)
      pending++
      setImmediate(() => {
        pending--
        if (message['method'] === 'notifications/initialized') response.writeHead(202).end()
        else if (message['method'] !== 'initialize') answerJson(response, message, { tools: [] })
        else {
          const capabilities = { tools: {} }
          const protocolVersion = '2025-11-25'
          answerJson(response, message, { protocolVersion, capabilities, serverInfo: {} })
        }
      })
    })
    await using gateway = await startGateway({ targets: [{ name: 'a', mcp: { url: server.url } }] })
    expect(gateway.readiness().ready).toBe(true)
    expect(said).toEqual([
      'server/discover',
      'initialize',
      'notifications/initialized',
      'tools/list',
    ])
  })

  it('uses only what was negotiated: lists a server has, and declares nothing it does not relay [R59]', async () => {
    let refused: unknown
    const asking: Handler = async (_, { sendRequest }) => {
      const request = { method: 'roots/list' } as const
      refused = await sendRequest(request, {} as never).catch((error: unknown) => error)
      return { content: [] }
    }
    await using upstream = await startEcho({ handlers: { 'tools/call': asking } })
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    const { json } = await session.call('a__echo')
    expect(json).toMatchObject({ result: { content: [] } })
    expect(refused).toMatchObject({ code: -32601 })
    const methods = new Set(upstream.received.map((it) => it.method))
    for (const absent of ['prompts/list', 'resources/list', 'resources/templates/list']) {
      expect(methods).not.toContain(absent)
    }
    expect(session.initialized['capabilities']).toEqual({ tools: { listChanged: true } })
  })

  it('passes references to schemas elsewhere on and never follows them [R79]', async () => {
    let visits = 0
    await using elsewhere = await startRawHttp((_, response) => {
      visits++
      response.end('{}')
    })
    const inputSchema = {
      type: 'object',
      $ref: elsewhere.url,
      properties: { a: { $ref: elsewhere.url } },
    }
    await using upstream = await startEcho({ tools: [{ name: 'echo', inputSchema }] })
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    const { json } = await session.request('tools/list')
    expect(json).toMatchObject({ result: { tools: [{ inputSchema }] } })
    await session.call('a__echo', { a: 1 })
    expect(visits).toBe(0)
  })

  it('answers a server’s ping, also in the middle of a call [R61]', async () => {
    let pong: unknown
    const pinging: Handler = async (_, { sendRequest }) => {
      const { EmptyResultSchema } = await import('@modelcontextprotocol/sdk/types.js')
      pong = await sendRequest({ method: 'ping' }, EmptyResultSchema)
      return { content: [] }
    }
    await using upstream = await startEcho({ handlers: { 'tools/call': pinging } })
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    expect((await session.call('a__echo')).json).toMatchObject({ result: { content: [] } })
    expect(pong).toEqual({})
  })
})
