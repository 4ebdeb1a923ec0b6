import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import { startModern } from '../support/modern-upstream.js'
import type { RawSession } from '../support/raw-client.js'
import { openSession, post } from '../support/raw-client.js'
import { answerJson, startHostile } from '../support/raw-http-server.js'

/** Quotes, escapes and letters of several bytes all over a mebibyte, which arrives in many chunks. */
const LONG = 'a "quoted" \\ line \n of é and 𝄞; '.repeat(30_000)
const RESULT = {
  content: [
    { type: 'text', text: LONG },
    { type: 'resource', resource: { uri: 'file:///report', blob: LONG } },
  ],
  structuredContent: { size: LONG.length },
}

const resultOf = ({ json }: { readonly json: JsonObject }): JsonObject =>
  json['result'] as JsonObject

/** A gateway before a server that gives a large result, or what is made of the text of it. */
async function withLargeResult(isStream: boolean, misbehave = (text: string): string => text) {
  const server = await startHostile(({ id }, response) => {
    const text = misbehave(JSON.stringify({ jsonrpc: '2.0', id, result: RESULT }))
    const type = isStream ? 'text/event-stream' : 'application/json'
    response.writeHead(200, { 'content-type': type })
    response.end(isStream ? `event: message\ndata: ${text}\n\n` : text)
  })
  const gateway = await startGateway({
    targets: [{ name: 'a', mcp: { url: server.url }, era: 'legacy' }],
  })
  const dispose = async (): Promise<void> => {
    await gateway[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  }
  return { gateway, [Symbol.asyncDispose]: dispose }
}

describe.each([
  ['JSON', false],
  ['an event stream', true],
])('a large result that comes as %s', (_, isStream) => {
  it('reaches clients of both eras as it is', async () => {
    await using it = await withLargeResult(isStream)
    const session = await openSession(it.gateway.url)
    const answer = await session.call('a__bad')
    expect(resultOf(answer)).toEqual(RESULT)
    expect(Number(answer.headers['content-length'])).toBe(Buffer.byteLength(answer.text))
    expect(resultOf(await new ModernClient(it.gateway.url).call('a__bad'))).toMatchObject(RESULT)
  })

  it('of a server of 2026-07-28 reaches clients of both eras, without what belongs to its hop', async () => {
    const key = 'io.modelcontextprotocol/serverInfo'
    const hidden = { name: 'hidden', version: '1' }
    const _meta = { [key]: hidden, 'example.com/kept': 1 }
    const answer = ({ id }: { readonly id: string | number }, response: ServerResponse) => {
      const result = { _meta, ...RESULT, resultType: 'complete' }
      const text = JSON.stringify({ jsonrpc: '2.0', id, result })
      const type = isStream ? 'text/event-stream' : 'application/json'
      response.writeHead(200, { 'content-type': type })
      response.end(isStream ? `data: ${text}\n\n` : text)
      return undefined
    }
    await using server = await startModern({
      tools: [{ name: 'bad', inputSchema: { type: 'object' } }],
      handlers: { 'tools/call': answer },
    })
    await using gateway = await startGateway({ targets: [{ name: 'a', mcp: { url: server.url } }] })
    const older = await (await openSession(gateway.url)).call('a__bad')
    expect(resultOf(older)).toEqual({ _meta: { 'example.com/kept': 1 }, ...RESULT })
    expect(Number(older.headers['content-length'])).toBe(Buffer.byteLength(older.text))
    const newer = resultOf(await new ModernClient(gateway.url).call('a__bad'))
    expect(newer).toMatchObject({ ...RESULT, resultType: 'complete' })
    expect(newer['_meta']).toMatchObject({ 'example.com/kept': 1, [key]: { name: 'mcp-junction' } })
  })

  it('reaches many clients at once, each its own', async () => {
    await using it = await withLargeResult(isStream)
    const sessions = await Promise.all(Array.from({ length: 8 }, () => openSession(it.gateway.url)))
    const call = async (session: RawSession): Promise<void> => {
      const answer = await session.call('a__bad')
      expect(answer.json['id']).toBe(1)
      expect(resultOf(answer)).toEqual(RESULT)
    }
    await Promise.all(sessions.map(call))
  })

  it('has a place in a batch', async () => {
    await using it = await withLargeResult(isStream)
    const session = await openSession(it.gateway.url, '2025-03-26')
    const calls = [1, 2].map((id) => ({
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: { name: 'a__bad' },
    }))
    const { text } = await post(session.url, calls, session.headers)
    const answers = JSON.parse(text) as JsonObject[]
    expect(answers.map((it) => it['result'])).toEqual([RESULT, RESULT])
  })

  it.each([
    ['ends too early', (text: string) => text.slice(0, -1)],
    ['is not JSON around its text', (text: string) => text.replace('"content":', '"content"')],
    ['repeats a member', (text: string) => text.replace('"id":', '"id":99,"id":')],
  ])('is no message where it %s', async (_reason, misbehave) => {
    await using it = await withLargeResult(isStream, misbehave)
    const session = await openSession(it.gateway.url)
    expect((await session.call('a__bad')).json).toMatchObject({
      error: { code: -32603, data: { target: 'a', reason: 'protocol' } },
    })
  })
})

describe('links in a large result', () => {
  it('go where a client may not read what they lead to, and the text beside them stays', async () => {
    const link = { type: 'resource_link', uri: 'ui://a/page', name: 'page' }
    const result = { content: [{ type: 'text', text: LONG }, link] }
    await using one = await startHostile((call, response) => answerJson(response, call, result))
    await using other = await startHostile((call, response) => answerJson(response, call, result))
    await using gateway = await startGateway({
      targets: [
        { name: 'one', mcp: { url: one.url } },
        { name: 'other', mcp: { url: other.url } },
      ],
      authorization: { rules: [{ deny: 'mcp.resource.target == "one"' }] },
    })
    const session = await openSession(gateway.url)
    expect(resultOf(await session.call('one__bad'))).toEqual({
      content: [{ type: 'text', text: LONG }],
    })
    expect(resultOf(await session.call('other__bad'))).toEqual(result)
  })
})
