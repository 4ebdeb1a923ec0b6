import { ElicitResultSchema, McpError } from '@modelcontextprotocol/sdk/types.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { JsonObject } from '../../backends/index.js'
import { childServer } from '../support/child-server.js'
import { startGateway } from '../support/gateway.js'
import type { Stream } from '../support/raw-client.js'
import { openSession } from '../support/raw-client.js'
import type { Handler } from '../support/upstream-server.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const ANY = z.record(z.string(), z.unknown())
const form = { type: 'object', properties: { name: { type: 'string' } } }

/** A tool that asks the client for what its arguments say, and gives back the answer, or the error. */
const asking: Handler = async ({ arguments: given }, { sendRequest }) => {
  const request = given as unknown as { method: 'ping'; params: JsonObject }
  const answer: unknown = await sendRequest(request, ANY).catch((error: unknown) => error)
  const text = JSON.stringify(
    answer instanceof Error ? { code: 'code' in answer ? answer.code : 0 } : answer,
  )
  return { content: [{ type: 'text', text }] }
}

const elicit = (message: string, more: JsonObject = {}): JsonObject => ({
  method: 'elicitation/create',
  params: { message, requestedSchema: form, ...more },
})

async function world(target: JsonObject = {}, federation: JsonObject = {}) {
  const upstream = await startEcho({ handlers: { 'tools/call': asking } })
  const gateway = await startGateway({
    targets: [{ name: 'a', mcp: { url: upstream.url }, ...target }],
    federation,
  })
  return {
    upstream,
    gateway,
    [Symbol.asyncDispose]: async () => {
      await gateway.close()
      await upstream[Symbol.asyncDispose]()
    },
  }
}

const asked = (stream: Stream): JsonObject | undefined =>
  stream.messages.find((it) => it['method'] !== undefined && it['id'] !== undefined)
const textOf = (stream: Stream): unknown => {
  const result = stream.messages.at(-1)?.['result'] as { content: { text: string }[] } | undefined
  return result === undefined ? undefined : JSON.parse(result.content[0]?.text ?? '')
}
const call = (given: JsonObject) => ({ name: 'a__echo', arguments: given })

describe('a server that asks the client in the middle of a call', () => {
  it('gets sampling, elicitation and roots answered by a real client', async () => {
    await using it = await world({ roots: true })
    const client = new Client(
      { name: 'c', version: '1' },
      { capabilities: { sampling: {}, elicitation: {}, roots: {} } },
    )
    client.setRequestHandler(CreateMessageRequestSchema, () => ({
      role: 'assistant',
      content: { type: 'text', text: 'sampled' },
      model: 'm',
    }))
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => ({
      action: 'accept',
      content: { name: params.message },
    }))
    client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///r' }] }))
    await client.connect(new StreamableHTTPClientTransport(new URL(it.gateway.url)))
    const ask = async (given: JsonObject): Promise<string> => {
      const result = await client.callTool({ name: 'a__echo', arguments: given })
      return JSON.stringify(result.content)
    }
    const messages = [{ role: 'user', content: { type: 'text', text: 'q' } }]
    const sampling = { method: 'sampling/createMessage', params: { messages, maxTokens: 5 } }
    expect(await ask(sampling)).toContain('sampled')
    expect(await ask(elicit('Who?'))).toContain('[a] Who?')
    expect(await ask({ method: 'roots/list' })).toContain('file:///r')
    await client.close()
  })

  it('is told of exactly what that client declared, and of roots only where configured [R59]', async () => {
    await using it = await world()
    const declared = {
      sampling: { tools: {} },
      elicitation: { form: {}, url: {} },
      roots: { listChanged: true },
      experimental: { odd: {} },
    }
    const session = await openSession(it.gateway.url, undefined, declared)
    const plain = await openSession(it.gateway.url)
    it.upstream.initialized.length = 0
    await plain.call('a__echo', { method: 'ping' })
    await session.call('a__echo', { method: 'ping' })
    expect(it.upstream.initialized.map(({ capabilities }) => capabilities)).toEqual([
      {},
      { sampling: { tools: {} }, elicitation: { form: {}, url: {} } },
    ])
  })

  it('is told that roots changed, where it knows of roots, and nobody else is', async () => {
    await using it = await world({ roots: true })
    const roots = { roots: { listChanged: true } }
    const session = await openSession(it.gateway.url, undefined, roots)
    const stranger = await openSession(it.gateway.url, undefined, roots)
    await session.call('a__echo', { method: 'ping' })
    await stranger.notify('notifications/roots/list_changed')
    await session.notify('notifications/roots/list_changed')
    const told = () => it.upstream.asked('notifications/roots/list_changed')
    await waitUntil(() => told().length > 0, 'the server to be told')
    expect(told()).toHaveLength(1)
  })

  it('is refused what that client did not declare, and the client hears nothing of it', async () => {
    await using it = await world({ roots: true })
    const session = await openSession(it.gateway.url, undefined, { elicitation: {}, sampling: {} })
    const tools = { messages: [], maxTokens: 1, tools: [] }
    for (const [given, code] of [
      [{ method: 'roots/list' }, -32601],
      [{ method: 'odd/thing' }, -32601],
      [elicit('x', { mode: 'url', url: 'https://example.com', elicitationId: '1' }), -32602],
      [{ method: 'sampling/createMessage', params: tools }, -32602],
    ] as const) {
      const stream = await session.begin('tools/call', call(given))
      await stream.ended
      expect(asked(stream)).toBeUndefined()
      expect(textOf(stream)).toEqual({ code })
    }
  })

  it('asks clients of 2025-06-18 in forms that they know, or not at all', async () => {
    await using it = await world({}, { attribution: false })
    const session = await openSession(it.gateway.url, '2025-06-18', { elicitation: {} })
    const withForm = (properties: JsonObject) =>
      call(elicit('Which?', { requestedSchema: { type: 'object', properties } }))
    const name = { type: 'string' }
    const titled = (key: string) => [
      { const: 'r', title: 'Red' },
      { const: 'g', [key]: 'Green' },
    ]
    const stream = await session.begin(
      'tools/call',
      withForm({ name, colour: { type: 'string', title: 'Colour', oneOf: titled('note') } }),
    )
    await waitUntil(() => asked(stream) !== undefined, 'the question')
    const colour = { type: 'string', title: 'Colour', enum: ['r', 'g'], enumNames: ['Red', 'g'] }
    expect(asked(stream)?.['params']).toEqual({
      message: 'Which?',
      requestedSchema: { type: 'object', properties: { name, colour } },
    })
    await session.answer(asked(stream)?.['id'] ?? null, { action: 'accept', content: {} })
    await stream.ended

    const several = { type: 'array', items: { anyOf: titled('title') } }
    const refused = await session.begin('tools/call', withForm({ name, several }))
    await refused.ended
    expect(asked(refused)).toBeUndefined()
    expect(textOf(refused)).toMatchObject({ code: -32603 })
  })

  it('asks on the stream of that call, under an id of this hop, in its own words', async () => {
    await using it = await world({}, { attribution: false })
    const session = await openSession(it.gateway.url, undefined, { sampling: {}, elicitation: {} })
    const other = await session.listen()
    const messages = [{ role: 'user', content: { type: 'text', text: 'q' } }]
    const params = { messages, maxTokens: 5, includeContext: 'allServers', odd: 1 }
    const stream = await session.begin(
      'tools/call',
      call({ method: 'sampling/createMessage', params }),
    )
    await waitUntil(() => asked(stream) !== undefined, 'the question')
    expect(asked(stream)).toMatchObject({
      method: 'sampling/createMessage',
      params: { ...params, includeContext: 'none' },
    })
    const id = asked(stream)?.['id'] ?? null
    expect(typeof id).toBe('string')
    expect((await session.answer(id, { odd: [1], role: 'assistant' })).status).toBe(202)
    await stream.ended
    expect(textOf(stream)).toEqual({ odd: [1], role: 'assistant' })
    expect(other.messages).toEqual([])
    other.close()
  })

  it('never gets the answer of another client, though both ask at once [R63]', async () => {
    await using it = await world()
    const sessions = await Promise.all(
      Array.from({ length: 10 }, () => openSession(it.gateway.url, undefined, { elicitation: {} })),
    )
    const streams = await Promise.all(
      sessions.map((session, index) =>
        session.begin('tools/call', call(elicit(`question ${index}`))),
      ),
    )
    await waitUntil(() => streams.every((it) => asked(it) !== undefined), 'all questions')
    for (const [index, stream] of streams.entries()) {
      expect(asked(stream)?.['params']).toMatchObject({ message: `[a] question ${index}` })
    }
    // An answer sent in by somebody else is nobody's answer.
    const stolen = asked(streams[0] as Stream)?.['id'] ?? null
    await sessions[1]?.answer(stolen, { action: 'accept', content: { name: 'thief' } })
    for (const [index, session] of sessions.toReversed().entries()) {
      const which = sessions.length - 1 - index
      const id = asked(streams[which] as Stream)?.['id'] ?? null
      await session.answer(id, { action: 'accept', content: { name: `answer ${which}` } })
    }
    await Promise.all(streams.map((it) => it.ended))
    for (const [index, stream] of streams.entries()) {
      const answer = ElicitResultSchema.parse(textOf(stream))
      expect(answer.content).toEqual({ name: `answer ${index}` })
    }
  })

  it('gets the client’s error as it is, and its progress under its own token', async () => {
    await using it = await world()
    const session = await openSession(it.gateway.url, undefined, { elicitation: {} })
    const stream = await session.begin(
      'tools/call',
      call(elicit('x', { _meta: { progressToken: 'theirs', k: 1 } })),
    )
    await waitUntil(() => asked(stream) !== undefined, 'the question')
    const id = asked(stream)?.['id'] ?? null
    expect(asked(stream)?.['params']).toMatchObject({ _meta: { progressToken: id, k: 1 } })
    await session.notify('notifications/progress', { progressToken: id, progress: 1 })
    await session.refuse(id, { code: -1, message: 'User rejected' })
    await stream.ended
    expect(textOf(stream)).toEqual({ code: -1 })
    expect(it.upstream.asked('notifications/progress').at(-1)?.params).toEqual({
      progressToken: 'theirs',
      progress: 1,
    })
  })

  it('waits longer than a call may take while the client thinks', async () => {
    await using it = await world({ timeouts: { call: '150ms' } })
    const session = await openSession(it.gateway.url, undefined, { elicitation: {} })
    const stream = await session.begin('tools/call', call(elicit('x')))
    await waitUntil(() => asked(stream) !== undefined, 'the question')
    const since = performance.now()
    await waitUntil(() => performance.now() - since > 400, 'more than the deadline')
    await session.answer(asked(stream)?.['id'] ?? null, { action: 'decline' })
    await stream.ended
    expect(textOf(stream)).toEqual({ action: 'decline' })
  })

  it('gets the answer also when it arrives at another process with the same key', async () => {
    await using upstream = await startEcho({ handlers: { 'tools/call': asking } })
    const config = {
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      sessions: { keys: [randomBytes(32).toString('hex')] },
    }
    await using first = await startGateway(config)
    await using second = await startGateway(config)
    const session = await openSession(first.url, undefined, { elicitation: {} })
    const stream = await session.begin('tools/call', call(elicit('x')))
    await waitUntil(() => asked(stream) !== undefined, 'the question')
    const elsewhere = Object.assign(Object.create(session) as typeof session, { url: second.url })
    const answered = await elsewhere.answer(asked(stream)?.['id'] ?? null, { action: 'cancel' })
    expect(answered.status).toBe(202)
    await stream.ended
    expect(textOf(stream)).toEqual({ action: 'cancel' })
  })
})

describe('a child process that asks', () => {
  const stdio = childServer('asking')

  it('asks the one client whose call is running, and nobody where it could be several', async () => {
    await using gateway = await startGateway({ targets: [{ name: 'a', stdio }] })
    const open = () => openSession(gateway.url, undefined, { elicitation: {} })
    const [one, two] = [await open(), await open()]
    const stream = await one.begin('tools/call', { name: 'a__ask' })
    await waitUntil(() => asked(stream) !== undefined, 'the question')
    await one.answer(asked(stream)?.['id'] ?? null, { action: 'accept' })
    await stream.ended
    expect(textOf(stream)).toEqual({ result: { action: 'accept' } })

    const waiting = two.call('a__wait')
    const ambiguous = await one.begin('tools/call', { name: 'a__ask' })
    await ambiguous.ended
    expect(asked(ambiguous)).toBeUndefined()
    expect(textOf(ambiguous)).toMatchObject({ error: { code: -32602 } })
    await one.call('a__release')
    expect((await waiting).json).toMatchObject({ result: {} })
  })
})

describe('an elicitation by URL', () => {
  const elicitation = (url: string, elicitationId: string): JsonObject => ({
    mode: 'url',
    message: 'Sign in',
    url,
    elicitationId,
  })
  const URL_MODE = { elicitation: { url: {} } }

  it('goes on as it is, is visited by nobody here, and its completion is told to that client alone [R68][R69]', async () => {
    await using it = await world()
    await using page = await startEcho()
    const session = await openSession(it.gateway.url, undefined, URL_MODE)
    const stranger = await openSession(it.gateway.url, undefined, URL_MODE)
    const [stream, other] = await Promise.all([session.listen(), stranger.listen()])
    await stranger.call('a__echo', { method: 'ping' })
    const visits = page.headers.length

    const params = elicitation(page.url, '7')
    const running = await session.begin(
      'tools/call',
      call({ method: 'elicitation/create', params }),
    )
    await running.next('elicitation/create')
    const question = asked(running) as { id: string; params: JsonObject }
    expect(question.params).toEqual({ ...params, message: '[a] Sign in', elicitationId: 'a/7' })
    await session.answer(question.id, { action: 'accept' })
    await running.ended
    await waitUntil(() => it.upstream.streams > 1, 'the stream for what belongs to no call')
    await it.upstream.notifyAll('notifications/elicitation/complete', { elicitationId: 'other' })
    await it.upstream.notifyAll('notifications/elicitation/complete', { elicitationId: '7' })
    await stream.next('notifications/elicitation/complete')
    expect(stream.messages).toHaveLength(1)
    expect(stream.messages[0]?.['params']).toEqual({ elicitationId: 'a/7' })
    expect(other.messages).toEqual([])
    expect(page.headers).toHaveLength(visits)
    stream.close()
    other.close()
  })

  it('that an error asks for comes with the target in its id, and is completed in the same way [R68]', async () => {
    const elicitations = [elicitation('https://example.com/a?x=1', '9'), 'odd']
    await using upstream = await startEcho({
      handlers: {
        'tools/call': () => {
          throw new McpError(-32042, 'first', { elicitations, more: 1 })
        },
      },
    })
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url, undefined, URL_MODE)
    const stream = await session.listen()
    const { json } = await session.call('a__echo')
    expect(json['error']).toMatchObject({
      code: -32042,
      data: {
        elicitations: [
          { ...elicitation('https://example.com/a?x=1', '9'), elicitationId: 'a/9' },
          'odd',
        ],
        more: 1,
      },
    })
    await waitUntil(() => upstream.streams > 1, 'the stream for what belongs to no call')
    await upstream.notifyAll('notifications/elicitation/complete', { elicitationId: '9' })
    await stream.next('notifications/elicitation/complete')
    expect(stream.messages[0]?.['params']).toEqual({ elicitationId: 'a/9' })
    stream.close()
  })
})
