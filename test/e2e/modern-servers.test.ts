import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import type { ModernUpstreamOptions, Sent } from '../support/modern-upstream.js'
import { ModernError, ModernUpstream, startModern, write } from '../support/modern-upstream.js'
import { openSession } from '../support/raw-client.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const PREFIX = 'io.modelcontextprotocol/'
const text = (it: string): JsonObject => ({ content: [{ type: 'text', text: it }] })
const form: JsonObject = {
  method: 'elicitation/create',
  params: { message: 'Who?', requestedSchema: { type: 'object', properties: {} } },
}
const ELICITS = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} }

async function world(
  options: ModernUpstreamOptions = {},
  target: JsonObject = {},
  more: JsonObject = {},
) {
  const upstream = await startModern(options)
  const targets = [{ name: 'a', mcp: { url: upstream.url }, ...target }]
  const gateway = await startGateway({ targets, ...more })
  return {
    upstream,
    targets,
    gateway,
    client: new ModernClient(gateway.url),
    [Symbol.asyncDispose]: async () => {
      await gateway.close()
      await upstream[Symbol.asyncDispose]()
    },
  }
}

const resultOf = ({ json }: { json: JsonObject }) => json['result'] as JsonObject
const errorOf = ({ json }: { json: JsonObject }) => json['error'] as JsonObject

/** Needs an answer to `q` before it gives one; keeps what it knows in its state. */
const asking =
  (question: JsonObject = form, requestState: string | null = 'state-1') =>
  ({ params }: { params: JsonObject }): JsonObject => {
    const { inputResponses, requestState: given } = params
    if (inputResponses === undefined) {
      return {
        resultType: 'input_required',
        inputRequests: { q: question },
        ...(requestState === null ? {} : { requestState }),
      }
    }
    return text(JSON.stringify({ inputResponses, given: given ?? null }))
  }

describe('a server of 2026-07-28', () => {
  it('is found out, and never told of a session [R46]', async () => {
    await using it = await world()
    expect(it.upstream.sent[0]).toMatchObject({ method: 'server/discover' })
    expect(it.upstream.asked('initialize')).toEqual([])
    const session = await openSession(it.gateway.url)
    await session.call('a__echo')
    for (const { headers } of it.upstream.sent) expect(headers).not.toHaveProperty('mcp-session-id')
  })

  it('gets requests that describe themselves, with headers made from their own bodies [R44][R45][R89]', async () => {
    const inputSchema = {
      type: 'object',
      properties: { region: { type: 'string', 'x-mcp-header': 'Region' } },
    }
    await using it = await world({
      tools: [{ name: 'écho', inputSchema }],
      handlers: { 'tools/call': () => text('x') },
    })
    const { tools } = resultOf(await it.client.request('tools/list')) as {
      tools: { name: string }[]
    }
    const headers = { 'mcp-param-region': '=?base64?w7w=?=', 'x-other': 'mine', cookie: 'c' }
    const answer = await it.client.call(tools[0]?.name ?? '', { region: 'ü' }, { headers })
    expect(resultOf(answer)).toMatchObject(text('x'))
    const [asked] = it.upstream.asked('tools/call')
    expect(asked?.params).toEqual({ name: 'écho', arguments: { region: 'ü' } })
    expect(asked?.headers).toMatchObject({
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': `=?base64?${Buffer.from('écho').toString('base64')}?=`,
      'mcp-param-region': '=?base64?w7w=?=',
      accept: 'application/json, text/event-stream',
    })
    expect(asked?.headers).not.toHaveProperty('x-other')
    expect(asked?.headers).not.toHaveProperty('cookie')
    expect(asked?.meta).toEqual({
      [`${PREFIX}protocolVersion`]: '2026-07-28',
      [`${PREFIX}clientInfo`]: { name: 'mcp-junction', version: expect.any(String) },
      [`${PREFIX}clientCapabilities`]: {},
    })
  })

  it('has tools that ask for impossible headers left out [R43]', async () => {
    const tool = (name: string, property: JsonObject): JsonObject => ({
      name,
      inputSchema: { type: 'object', properties: { a: property } },
    })
    await using it = await world({
      tools: [
        tool('fine', { type: 'integer', 'x-mcp-header': 'A' }),
        tool('number', { type: 'number', 'x-mcp-header': 'A' }),
        tool('empty', { type: 'string', 'x-mcp-header': '' }),
        tool('line', { type: 'string', 'x-mcp-header': 'a\nb' }),
        tool('items', { type: 'array', items: { type: 'string', 'x-mcp-header': 'A' } }),
        {
          name: 'twice',
          inputSchema: {
            properties: {
              a: { type: 'string', 'x-mcp-header': 'A' },
              b: { type: 'string', 'x-mcp-header': 'a' },
            },
          },
        },
        {
          name: 'branch',
          inputSchema: { anyOf: [{ properties: { a: { type: 'string', 'x-mcp-header': 'A' } } }] },
        },
      ],
    })
    const { tools } = resultOf(await it.client.request('tools/list')) as { tools: JsonObject[] }
    expect(tools.map(({ name }) => name)).toEqual(['a__fine'])
  })

  it('is listened to by one stream for all, which is opened again, and what was missed is looked for', async () => {
    await using it = await world()
    const session = await openSession(it.gateway.url)
    const stream = await session.listen()
    expect(it.upstream.listens.map(({ params }) => params['notifications'])).toEqual([
      { toolsListChanged: true },
    ])
    it.upstream.tools = [{ name: 'b', inputSchema: {} }]
    it.upstream.tell('notifications/tools/list_changed')
    await stream.next('notifications/tools/list_changed')
    it.upstream.tools = [{ name: 'c', inputSchema: {} }]
    it.upstream.cutListens()
    await waitUntil(() => stream.messages.length === 2, 'what was missed')
    expect(it.upstream.listens).toHaveLength(1)
    stream.close()
  })

  it('tells of resources that clients of either era follow, on a new stream before the old one ends', async () => {
    await using it = await world({ resources: [{ uri: 'note://a' }, { uri: 'note://b' }] })
    const session = await openSession(it.gateway.url)
    const [stream, other] = await Promise.all([
      session.listen(),
      it.client.begin('subscriptions/listen', {
        notifications: { resourceSubscriptions: ['note://b'] },
      }),
    ])
    await other.next('notifications/subscriptions/acknowledged')
    expect((await session.request('resources/subscribe', { uri: 'note://a' })).json).toHaveProperty(
      'result',
    )
    expect(it.upstream.listens.at(-1)?.params['notifications']).toMatchObject({
      resourceSubscriptions: expect.arrayContaining(['note://a', 'note://b']),
    })
    it.upstream.tell('notifications/resources/updated', { uri: 'note://a' })
    it.upstream.tell('notifications/resources/updated', { uri: 'note://b' })
    await stream.next('notifications/resources/updated')
    await other.next('notifications/resources/updated')
    expect(stream.messages.map((message) => message['params'])).toEqual([{ uri: 'note://a' }])
    expect(other.messages).toHaveLength(2)
    await session.request('resources/unsubscribe', { uri: 'note://a' })
    stream.close()
    other.close()
    const onlyLists = () =>
      it.upstream.listens.every(
        (listen) => !('resourceSubscriptions' in (listen.params['notifications'] as JsonObject)),
      )
    await waitUntil(onlyLists, 'nothing to be followed any more')
  })

  it('is missed no word of while one stream takes over from another, whichever says it first', async () => {
    const resources = ['a', 'b'].map((it) => ({ uri: `note://${it}` }))
    const streams: ServerResponse[] = []
    const tagged = (id: string | number, method: string, params: JsonObject) =>
      `data: ${JSON.stringify({
        jsonrpc: '2.0',
        method: `notifications/${method}`,
        params: { ...params, _meta: { 'io.modelcontextprotocol/subscriptionId': id } },
      })}\n\n`
    const acknowledged = ({ id, params }: Sent) =>
      tagged(id, 'subscriptions/acknowledged', { notifications: params['notifications'] ?? {} })
    const update = (id: string | number, uri: string) =>
      tagged(id, 'resources/updated', { uri: `note://${uri}` })
    const ids: (string | number)[] = []
    await using it = await world({
      resources,
      handlers: {
        'subscriptions/listen': (sent, response) => {
          streams.push(response)
          ids.push(sent.id)
          response.writeHead(200, { 'content-type': 'text/event-stream' })
          // With what happened at that very moment in the same breath as the acknowledgement.
          const isThird = ids.length === 3
          response.write(acknowledged(sent) + (isThird ? update(sent.id, 'a') : ''))
          return undefined
        },
      },
    })
    const session = await openSession(it.gateway.url)
    const stream = await session.listen()
    await session.request('resources/subscribe', { uri: 'note://a' })
    await session.request('resources/subscribe', { uri: 'note://b' })
    streams[1]?.write(update(ids[1] ?? '', 'a'))
    streams[2]?.write(update(ids[2] ?? '', 'b'))
    const told = () => stream.messages.map(({ params }) => (params as { uri: string }).uri)
    await waitUntil(() => told().length === 2, 'both updates')
    expect(told()).toEqual(['note://a', 'note://b'])
    stream.close()
  })

  it('has its hints on lists passed on, for as long as they hold [R28][R30]', async () => {
    await using it = await world({ cache: { ttlMs: 60_000, cacheScope: 'public' } })
    const alone = resultOf(await it.client.request('tools/list'))
    expect(alone['cacheScope']).toBe('public')
    expect(alone['ttlMs']).toBeGreaterThan(50_000)
    expect(alone['ttlMs']).toBeLessThanOrEqual(60_000)
    await using old = await startEcho()
    await using mixed = await startGateway({
      targets: [...it.targets, { name: 'b', mcp: { url: old.url } }],
    })
    expect(resultOf(await new ModernClient(mixed.url).request('tools/list'))).toMatchObject({
      ttlMs: 0,
      cacheScope: 'private',
    })
    const session = await openSession(mixed.url)
    const result = resultOf(await session.request('tools/list'))
    expect(Object.keys(result)).toEqual(['tools'])
  })

  it('has resources read once for all where it allows that, until they change [R30][R31]', async () => {
    const uris = ['note://public', 'note://private', 'note://asking']
    await using it = await world({
      resources: uris.map((uri) => ({ uri, name: uri })),
      handlers: {
        'resources/read': ({ params: { uri, requestState } }) => {
          if (uri === 'note://asking' && requestState === undefined) {
            return { resultType: 'input_required', requestState: 's' }
          }
          const cacheScope = uri === 'note://private' ? 'private' : 'public'
          return { contents: [{ uri: uri ?? '', text: 'x' }], ttlMs: 60_000, cacheScope }
        },
      },
    })
    const other = new ModernClient(it.gateway.url)
    const session = await openSession(it.gateway.url)
    const times = (uri: string) =>
      it.upstream.asked('resources/read').filter((asked) => asked.params['uri'] === uri).length
    const first = resultOf(await it.client.request('resources/read', { uri: 'note://public' }))
    const second = resultOf(await other.request('resources/read', { uri: 'note://public' }))
    const older = resultOf(await session.request('resources/read', { uri: 'note://public' }))
    expect(first).toMatchObject({ ttlMs: 60_000, cacheScope: 'public', resultType: 'complete' })
    expect(second['ttlMs']).toBeLessThanOrEqual(60_000)
    expect(older).toEqual({ contents: first['contents'] })
    expect(times('note://public')).toBe(1)
    for (const uri of ['note://private', 'note://private'])
      await it.client.request('resources/read', { uri })
    expect(times('note://private')).toBe(2)
    for (const uri of ['note://asking', 'note://asking']) {
      const { requestState = null } = resultOf(await it.client.request('resources/read', { uri }))
      await it.client.request('resources/read', { uri, requestState })
    }
    expect(times('note://asking')).toBe(4)
    const stream = await it.client.begin('subscriptions/listen', {
      notifications: { resourceSubscriptions: ['note://public'] },
    })
    await stream.next('notifications/subscriptions/acknowledged')
    it.upstream.tell('notifications/resources/updated', { uri: 'note://public' })
    await stream.next('notifications/resources/updated')
    await it.client.request('resources/read', { uri: 'note://public' })
    expect(times('note://public')).toBe(2)
    stream.close()
  })

  it.each([
    ['no resultType [R13]', { ...text('x'), resultType: undefined as never }, 'result'],
    ['a resultType that nobody knows [R13]', { ...text('x'), resultType: 'later' }, 'error'],
    ['a task that nobody asked for [R65]', { resultType: 'task', taskId: 't' }, 'error'],
    ['a need for input that it does not name [R33]', { resultType: 'input_required' }, 'error'],
  ])('that answers with %s gives a %s', async (_, result, kind) => {
    await using it = await world({ handlers: { 'tools/call': () => result } })
    for (const answer of [
      await it.client.call('a__echo'),
      await (await openSession(it.gateway.url)).call('a__echo'),
    ]) {
      expect(answer.json).toHaveProperty(kind)
    }
  })

  it('that needs input for a list gets none [R32]', async () => {
    await using it = await world({
      capabilities: { completions: {}, prompts: {} },
      handlers: {
        'prompts/list': () => ({ prompts: [{ name: 'p' }] }),
        'completion/complete': () => ({ resultType: 'input_required', requestState: 's' }),
      },
    })
    const params = { ref: { type: 'ref/prompt', name: 'a__p' }, argument: { name: 'x', value: '' } }
    expect(errorOf(await it.client.request('completion/complete', params))).toMatchObject({
      code: -32603,
      data: { reason: 'protocol' },
    })
  })

  it('that sends requests on a stream is not heard [R14]', async () => {
    await using it = await world({
      handlers: {
        'tools/call': ({ id }, response) => {
          response.writeHead(200, { 'content-type': 'text/event-stream' })
          write(response, { id: 'x', ...form })
          write(response, { id, result: { ...text('fine'), resultType: 'complete' } })
          response.end()
          return undefined
        },
      },
    })
    const { messages, json } = await it.client.call('a__echo', {}, { capabilities: ELICITS })
    expect(json).toMatchObject({ result: text('fine') })
    expect(messages).toEqual([])
  })

  it('has a call given up when its client leaves, or cancels it [R17]', async () => {
    let open = 0
    await using it = await world({
      handlers: {
        'tools/call': ({ meta }, response) => {
          open++
          response.on('close', () => open--)
          response.writeHead(200, { 'content-type': 'text/event-stream' })
          const { progressToken = 0 } = meta
          write(response, {
            method: 'notifications/progress',
            params: { progressToken, progress: 1 },
          })
          return undefined
        },
      },
    })
    const stream = await it.client.begin(
      'tools/call',
      { name: 'a__echo' },
      { meta: { progressToken: 1 } },
    )
    await stream.next('notifications/progress')
    stream.close()
    await waitUntil(() => open === 0, 'the call to be given up')
    const session = await openSession(it.gateway.url)
    const older = await session.begin('tools/call', {
      name: 'a__echo',
      _meta: { progressToken: 1 },
    })
    await older.next('notifications/progress')
    await session.notify('notifications/cancelled', { requestId: 1 })
    await waitUntil(() => open === 0, 'the call to be given up')
    older.close()
  })
})

describe('input that a server of 2026-07-28 needs', () => {
  const call = (
    it: { client: ModernClient },
    more: JsonObject = {},
    capabilities: JsonObject = ELICITS,
  ) =>
    it.client.request(
      'tools/call',
      { name: 'a__echo', arguments: { x: 1 }, ...more },
      { capabilities },
    )

  it('is asked of a client of its era by a result, and comes back with its state [R36][R37]', async () => {
    await using it = await world({ handlers: { 'tools/call': asking() } })
    const first = resultOf(await call(it))
    expect(first).toMatchObject({
      resultType: 'input_required',
      inputRequests: { q: { method: 'elicitation/create', params: { message: '[a] Who?' } } },
    })
    const { requestState = null } = first
    expect(requestState).not.toContain('state-1')
    const inputResponses = { q: { action: 'accept', content: {} }, extra: { action: 'decline' } }
    const second = resultOf(await call(it, { inputResponses, requestState }))
    const [{ text: said }] = second['content'] as [{ text: string }]
    expect(JSON.parse(said)).toEqual({ inputResponses, given: 'state-1' })
    const [before, after] = it.upstream.asked('tools/call')
    expect(after?.id).not.toBe(before?.id)
    expect(it.upstream.asked('tools/call')[0]?.meta[`${PREFIX}clientCapabilities`]).toEqual({
      elicitation: { form: {}, url: {} },
      sampling: {},
    })
  })

  it('comes back without state to a server that gave none, and at any process with the key [R36][R92]', async () => {
    const keys = [randomBytes(32).toString('base64')]
    await using it = await world(
      { handlers: { 'tools/call': asking(form, null) } },
      {},
      { sessions: { keys } },
    )
    await using other = await startGateway({ targets: it.targets, sessions: { keys } })
    const { requestState = null } = resultOf(await call(it))
    const elsewhere = { client: new ModernClient(other.url) }
    const answer = resultOf(await call(elsewhere, { inputResponses: { q: {} }, requestState }))
    const [{ text: said }] = answer['content'] as [{ text: string }]
    expect(JSON.parse(said)).toMatchObject({ given: null })
  })

  it('is refused with state that was changed, or belongs to another call [R35]', async () => {
    await using it = await world({
      tools: [
        { name: 'echo', inputSchema: {} },
        { name: 'other', inputSchema: {} },
      ],
      handlers: { 'tools/call': asking() },
    })
    const { requestState } = resultOf(await call(it)) as { requestState: string }
    const asked = it.upstream.asked('tools/call').length
    const inputResponses = { q: {} }
    const changed = requestState.slice(0, -2) + (requestState.endsWith('AA') ? 'BB' : 'AA')
    for (const more of [
      { inputResponses, requestState: changed },
      { inputResponses, requestState: 'state-1' },
      { inputResponses, requestState: 7 },
      { inputResponses, requestState, arguments: { x: 2 } },
      { inputResponses, requestState, name: 'a__other' },
    ] as JsonObject[]) {
      expect(errorOf(await call(it, more))).toMatchObject({ code: -32602 })
    }
    expect(it.upstream.asked('tools/call')).toHaveLength(asked)
  })

  it('is told as a need where the client cannot give it [R10][R34]', async () => {
    const requiredCapabilities = { sampling: {} }
    await using it = await world({
      handlers: {
        'tools/call': () => {
          throw new ModernError(-32021, 400, { requiredCapabilities })
        },
      },
    })
    const answer = await call(it, {}, {})
    expect(answer.status).toBe(400)
    expect(errorOf(answer)).toMatchObject({ code: -32021, data: { requiredCapabilities } })
    // A client that has it is told of a fault, which is not its own.
    expect(errorOf(await call(it, {}, ELICITS))).toMatchObject({ code: -32603 })
    const session = await openSession(it.gateway.url)
    expect((await session.call('a__echo')).json).toMatchObject({ error: { code: -32603 } })
  })

  it('is asked of an older client while its call is open, and each round goes on with the answers [R36]', async () => {
    const rounds: JsonObject[] = []
    await using it = await world(
      {
        handlers: {
          'tools/call': ({ params }) => {
            rounds.push(params)
            const round = rounds.length
            if (round === 3) return text('done')
            const url = {
              method: 'elicitation/create',
              params: { mode: 'url', message: 'Go', url: 'https://x/' },
            }
            const inputRequests: JsonObject =
              round === 1 ? { q: form, u: url } : { r: { method: 'roots/list' } }
            return { resultType: 'input_required', inputRequests, requestState: `s${round}` }
          },
        },
      },
      { roots: true },
    )
    const session = await openSession(it.gateway.url, undefined, ELICITS)
    const stream = await session.begin('tools/call', { name: 'a__echo', arguments: { x: 1 } })
    const questions = () => stream.messages.filter((message) => message['method'] !== undefined)
    await waitUntil(() => questions().length === 2, 'both questions')
    const [first, second] = questions() as { id: string; params: JsonObject }[]
    expect(first?.params['message']).toBe('[a] Who?')
    expect(second?.params['elicitationId']).toEqual(expect.any(String))
    await session.refuse(first?.id ?? '', { code: -1, message: 'no' })
    await session.answer(second?.id ?? '', { action: 'accept' })
    await waitUntil(() => questions().length === 3, 'the question of the second round')
    const [, , third] = questions() as { id: string }[]
    await session.answer(third?.id ?? '', { roots: [] })
    await stream.ended
    expect(stream.messages.at(-1)).toMatchObject({ result: text('done') })
    expect(stream.messages.at(-1)?.['result']).not.toHaveProperty('resultType')
    expect(rounds.slice(1)).toEqual([
      {
        name: 'echo',
        arguments: { x: 1 },
        requestState: 's1',
        inputResponses: { q: { action: 'cancel' }, u: { action: 'accept' } },
      },
      {
        name: 'echo',
        arguments: { x: 1 },
        requestState: 's2',
        inputResponses: { r: { roots: [] } },
      },
    ])
  })

  it.each([
    [
      'that it was not told the client has',
      { inputRequests: { q: { ...form, method: 'roots/list' } } },
    ],
    ['that is no request', { inputRequests: { q: 7 } }],
    ['again and again', { requestState: 's' }],
  ])('and asks for %s ends the call of an older client', { timeout: 120_000 }, async (_, needs) => {
    await using it = await world({
      handlers: { 'tools/call': () => ({ resultType: 'input_required', ...needs }) },
    })
    const session = await openSession(it.gateway.url, undefined, ELICITS)
    expect((await session.call('a__echo')).json).toMatchObject({
      error: { code: -32603, data: { reason: 'protocol' } },
    })
  })
})

describe('what a server speaks', () => {
  it.each([
    ['401', 401],
    ['429', 429],
  ])('is not decided by HTTP %s', async (_, status) => {
    let isOpen = false
    await using it = await world({
      handlers: {
        'server/discover': (_request, response) => {
          if (!isOpen) {
            response.writeHead(status).end()
            return undefined
          }
          return { supportedVersions: ['2026-07-28'], capabilities: { tools: {} } }
        },
        initialize: () => {
          throw new Error('asked for a session')
        },
      },
    })
    expect(it.gateway.readiness().targets[0]).toMatchObject({ ready: false })
    isOpen = true
    await waitUntil(
      () => it.gateway.readiness().targets[0]?.ready === true,
      'the server to be taken',
    )
    expect(it.upstream.asked('initialize')).toEqual([])
  })

  it.each([-32020, -32021])('is this era where it answers with %i [R46]', async (code) => {
    await using it = await world({
      handlers: {
        'server/discover': () => {
          throw new ModernError(code, 400)
        },
      },
    })
    expect(it.gateway.readiness().targets[0]).toMatchObject({ ready: false })
    expect(it.upstream.asked('initialize')).toEqual([])
  })

  it('can be said in the configuration, and is not asked then', async () => {
    await using upstream = await startEcho()
    await using gateway = await startGateway({
      targets: [{ name: 'a', era: 'legacy', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    expect((await session.call('a__echo')).json).toHaveProperty('result')
    expect(upstream.headers.some((headers) => headers['mcp-method'] !== undefined)).toBe(false)
    await using modern = await startModern()
    await using wrong = await startGateway({
      targets: [{ name: 'a', era: 'legacy', mcp: { url: modern.url } }],
    })
    expect(wrong.readiness().targets[0]).toMatchObject({ ready: false })
  })

  it('is found out anew when another server has taken its place [R47]', async () => {
    const legacy = await startEcho()
    const port = Number(new URL(legacy.url).port)
    await using gateway = await startGateway({ targets: [{ name: 'a', mcp: { url: legacy.url } }] })
    const session = await openSession(gateway.url)
    expect((await session.call('a__echo', { x: 1 })).json).toHaveProperty('result')
    await legacy.kill()
    await using modern = await new ModernUpstream({
      tools: [{ name: 'echo', inputSchema: {} }],
      handlers: { 'tools/call': () => text('modern') },
    }).start(port)
    const isNew = async () =>
      JSON.stringify((await session.call('a__echo')).json).includes('modern')
    await waitUntil(isNew, 'the new server to answer')
    // And back again.
    await modern[Symbol.asyncDispose]()
    await legacy.start()
    const isOld = async () => (await session.call('a__echo', { y: 2 })).text.includes('\\"y\\":2')
    await waitUntil(isOld, 'the old server to answer')
    await legacy.kill()
  })

  it('may be both, behind one URL, for clients of both [R86][R88]', async () => {
    await using modern = await startModern({
      handlers: { 'tools/call': () => text('modern') },
    })
    await using legacy = await startEcho()
    await using gateway = await startGateway({
      targets: [
        { name: 'new', mcp: { url: modern.url } },
        { name: 'old', mcp: { url: legacy.url } },
      ],
    })
    const client = new ModernClient(gateway.url)
    const session = await openSession(gateway.url)
    const answers = await Promise.all([
      client.call('new__echo'),
      client.call('old__echo'),
      session.call('new__echo'),
      session.call('old__echo'),
    ])
    for (const { json } of answers) expect(json).toHaveProperty('result')
    const names = async (list: Promise<{ json: JsonObject }>) =>
      (resultOf(await list)['tools'] as JsonObject[]).map(({ name }) => name)
    expect(await names(client.request('tools/list'))).toEqual(['new__echo', 'old__echo'])
    expect(await names(session.request('tools/list'))).toEqual(['new__echo', 'old__echo'])
  })
})
