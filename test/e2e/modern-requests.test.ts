import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { startGateway } from '../support/gateway.js'
import { ModernClient, VERSION } from '../support/modern-client.js'
import { openSession, post } from '../support/raw-client.js'
import type { UpstreamOptions } from '../support/upstream-server.js'
import { echo, startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const PREFIX = 'io.modelcontextprotocol/'
const annotated = {
  name: 'query',
  inputSchema: {
    type: 'object',
    properties: {
      region: { type: 'string', 'x-mcp-header': 'Region' },
      limit: { type: 'integer', 'x-mcp-header': 'Limit' },
      deep: { type: 'object', properties: { on: { type: 'boolean', 'x-mcp-header': 'On' } } },
    },
  },
}

async function world(options: UpstreamOptions = {}) {
  const upstream = await startEcho({
    tools: [{ name: 'echo', inputSchema: { type: 'object' } }, annotated],
    resources: [{ uri: 'note://a/ü', name: 'a' }],
    ...options,
    handlers: {
      'resources/read': ({ uri }) => {
        if (uri !== 'note://a/ü') throw Object.assign(new Error('none'), { code: -32002 })
        return { contents: [{ uri: 'note://a/ü', text: 'x' }] }
      },
      ...options.handlers,
    },
  })
  const gateway = await startGateway({ targets: [{ name: 'a', mcp: { url: upstream.url } }] })
  return {
    upstream,
    gateway,
    client: new ModernClient(gateway.url),
    [Symbol.asyncDispose]: async () => {
      await gateway.close()
      await upstream[Symbol.asyncDispose]()
    },
  }
}

const codeOf = ({ json }: { json: JsonObject }): unknown => (json['error'] as JsonObject)['code']
const resultOf = ({ json }: { json: JsonObject }) => json['result'] as JsonObject
const base64 = (text: string): string => `=?base64?${Buffer.from(text).toString('base64')}?=`

describe('a request of 2026-07-28', () => {
  it.each([
    ['protocolVersion', -32602],
    ['clientCapabilities', -32602],
  ])('without %s is refused [R1]', async (key, code) => {
    await using it = await world()
    const answer = await it.client.request(
      'tools/list',
      {},
      { meta: { [PREFIX + key]: undefined as never } },
    )
    expect([answer.status, codeOf(answer), answer.json['id']]).toEqual([400, code, 1])
  })

  it('with capabilities as large as a book is refused: they are kept for the next one', async () => {
    await using it = await world()
    const capabilities = { experimental: { filler: 'x'.repeat(5_000) } }
    const answer = await it.client.request('tools/list', {}, { capabilities })
    expect([answer.status, codeOf(answer)]).toEqual([400, -32602])
    const fits = { experimental: { filler: 'x'.repeat(3_000) } }
    expect((await it.client.call('a__echo', {}, { capabilities: fits })).status).toBe(200)
  })

  it('without any _meta, but with the header of this version, is told what it lacks [R1]', async () => {
    await using it = await world()
    const body = { jsonrpc: '2.0', id: 'x', method: 'server/discover', params: {} }
    const answer = await post(it.gateway.url, body, { 'mcp-protocol-version': VERSION })
    expect([answer.status, codeOf(answer), answer.json['id']]).toEqual([400, -32602, 'x'])
  })

  it('without clientInfo is served [R2]', async () => {
    await using it = await world()
    const meta = { [`${PREFIX}clientInfo`]: undefined as never }
    expect((await it.client.request('tools/list', {}, { meta })).status).toBe(200)
  })

  it('in a version that nobody knows is told of ours [R3][R21]', async () => {
    await using it = await world()
    const answer = await it.client.request(
      'tools/list',
      {},
      {
        meta: { [`${PREFIX}protocolVersion`]: '2099-01-01' },
        headers: { 'mcp-protocol-version': '2099-01-01' },
      },
    )
    expect(answer.status).toBe(400)
    expect(answer.json['error']).toMatchObject({
      code: -32022,
      data: { supported: [VERSION], requested: '2099-01-01' },
    })
  })

  it.each([
    ['another version in the header [R4]', { 'mcp-protocol-version': '2025-11-25' }],
    ['no version in the header [R4]', { 'mcp-protocol-version': undefined }],
    ['no Mcp-Method [R5]', { 'mcp-method': undefined }],
    ['another Mcp-Method [R5]', { 'mcp-method': 'tools/list' }],
    ['an Mcp-Method in other letters [R5]', { 'mcp-method': 'Tools/Call' }],
    ['no Mcp-Name [R6]', { 'mcp-name': undefined }],
    ['another Mcp-Name [R6]', { 'mcp-name': 'a__other' }],
    ['an Mcp-Name in bad base64 [R7]', { 'mcp-name': '=?base64?YQ?=' }],
  ])('with %s is refused', async (_, headers) => {
    await using it = await world()
    const answer = await it.client.call('a__echo', {}, { headers })
    expect([answer.status, codeOf(answer)]).toEqual([400, -32020])
    expect(it.upstream.asked('tools/call')).toEqual([])
  })

  it('may encode the name that its header repeats [R7]', async () => {
    await using it = await world()
    const encoded = await it.client.call(
      'a__echo',
      {},
      { headers: { 'mcp-name': base64('a__echo') } },
    )
    expect(encoded.status).toBe(200)
    const uri = 'note://a/ü'
    const read = (header: string) =>
      it.client.request('resources/read', { uri }, { headers: { 'mcp-name': header } })
    expect((await read(base64(uri))).status).toBe(200)
    expect((await read(base64('note://a/u'))).status).toBe(400)
  })

  it('repeats the arguments that its tool wants repeated, and no others [R8]', async () => {
    await using it = await world()
    const call = async (given: JsonObject, headers: Record<string, string>) => {
      const { status, json } = await it.client.call('a__query', given, { headers })
      return status === 200 ? 200 : (json['error'] as JsonObject)['code']
    }
    const ü = base64('ü')
    expect(
      await call(
        { region: 'eu', limit: 7 },
        { 'mcp-param-region': 'eu', 'mcp-param-limit': '7.0' },
      ),
    ).toBe(200)
    expect(await call({ region: 'ü' }, { 'mcp-param-region': ü })).toBe(200)
    expect(await call({ deep: { on: true } }, { 'mcp-param-on': 'true' })).toBe(200)
    expect(await call({ region: null, limit: null }, {})).toBe(200)
    expect(await call({}, { 'mcp-param-unknown': 'x' })).toBe(200)
    for (const [given, headers] of [
      [{ region: 'eu' }, {}],
      [{ region: 'eu' }, { 'mcp-param-region': 'us' }],
      [{ region: 'eu' }, { 'mcp-param-region': '=?base64?###?=' }],
      [{ deep: { on: true } }, { 'mcp-param-on': 'True' }],
      [{}, { 'mcp-param-region': 'eu' }],
      [{ region: null }, { 'mcp-param-region': 'null' }],
    ] as const) {
      expect(await call(given, headers)).toBe(-32020)
    }
  })

  it.each([
    'initialize',
    'ping',
    'logging/setLevel',
    'resources/subscribe',
    'resources/unsubscribe',
    'tasks/result',
    'tasks/list',
    'tasks/get',
    'prompts/list',
    'nope',
    'toString',
  ])('for %s is answered 404 [R9][R67]', async (method) => {
    await using it = await world()
    const answer = await it.client.request(method, { taskId: 'x' })
    expect([answer.status, codeOf(answer)]).toEqual([404, -32601])
  })

  it('discovers what all servers together can do [R11][R12][R81]', async () => {
    await using it = await world()
    const result = resultOf(await it.client.request('server/discover'))
    expect(result).toMatchObject({
      resultType: 'complete',
      supportedVersions: [VERSION],
      capabilities: { tools: { listChanged: true }, resources: { listChanged: true } },
      ttlMs: expect.any(Number),
      cacheScope: 'private',
      _meta: { [`${PREFIX}serverInfo`]: { name: 'mcp-junction' } },
    })
    expect(result['capabilities']).not.toHaveProperty('tasks')
    expect(result).not.toHaveProperty('protocolVersion')
  })

  it('gets results that say what they are, and how long they hold [R12][R28][R29]', async () => {
    await using it = await world({ prompts: [{ name: 'p' }] })
    for (const method of [
      'tools/list',
      'prompts/list',
      'resources/list',
      'resources/templates/list',
    ]) {
      const result = resultOf(await it.client.request(method))
      expect(result).toMatchObject({ resultType: 'complete', ttlMs: 0, cacheScope: 'private' })
    }
    const read = { headers: { 'mcp-name': base64('note://a/ü') } }
    expect(
      resultOf(await it.client.request('resources/read', { uri: 'note://a/ü' }, read)),
    ).toMatchObject({
      resultType: 'complete',
      ttlMs: 0,
      cacheScope: 'private',
    })
    const called = resultOf(await it.client.call('a__echo', { x: 1 }))
    expect(called).toMatchObject({ resultType: 'complete', content: [{ text: '{"x":1}' }] })
    expect(called).not.toHaveProperty('ttlMs')
  })

  it('gets -32602 for a resource that is not there, and never -32002 [R20][R22]', async () => {
    await using it = await world()
    const { status, json } = await it.client.request('resources/read', { uri: 'note://b' })
    expect(status).toBe(200)
    expect(json).toMatchObject({ error: { code: -32602 } })
  })

  it.each([-32042, -32020, -32022, -32050])(
    'never sees code %i of a server’s, where it means something here [R20][R21]',
    async (code) => {
      await using it = await world({
        handlers: {
          'tools/call': () => {
            throw Object.assign(new Error('x'), { code })
          },
        },
      })
      const answer = await it.client.call('a__echo')
      expect([answer.status, codeOf(answer)]).toEqual([200, -32603])
    },
  )

  it('leaves nothing of itself in what the server gets [R89]', async () => {
    await using it = await world()
    const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`
    await it.client.call(
      'a__echo',
      { x: 1 },
      { meta: { 'example.com/k': 1, progressToken: 'mine', traceparent } },
    )
    const [asked] = it.upstream.asked('tools/call')
    expect(asked?.params['_meta']).toEqual({
      'example.com/k': 1,
      traceparent,
      progressToken: expect.any(Number),
    })
    const headers = it.upstream.headers.at(-1) ?? {}
    expect(Object.keys(headers).filter((name) => /^mcp-(method|name|param)/.test(name))).toEqual([])
  })

  it('hears progress under its token, and log messages of the level it asked for, before its result [R38][R39]', async () => {
    await using it = await world({
      capabilities: { logging: {} },
      handlers: {
        'logging/setLevel': () => ({}),
        'tools/call': async (params, { sendNotification, _meta: meta }) => {
          const progressToken = meta?.progressToken
          if (progressToken !== undefined) {
            await sendNotification({
              method: 'notifications/progress',
              params: { progressToken, progress: 1 },
            })
          }
          for (const level of ['info', 'error'] as const) {
            await sendNotification({ method: 'notifications/message', params: { level, data: 1 } })
          }
          return echo(params, {} as never)
        },
      },
    })
    const quiet = await it.client.call('a__echo')
    expect(quiet.headers['content-type']).toBe('application/json')
    const meta = { progressToken: 'p', [`${PREFIX}logLevel`]: 'error' }
    const { messages } = await it.client.call('a__echo', {}, { meta })
    expect(messages.map((it) => it['params'] ?? it['id'])).toEqual([
      { progress: 1, progressToken: 'p' },
      { level: 'error', logger: 'a', data: 1 },
      2,
    ])
    const odd = await it.client.call('a__echo', {}, { meta: { [`${PREFIX}logLevel`]: 'loud' } })
    expect([odd.status, codeOf(odd)]).toEqual([400, -32602])
  })

  it('is given up when its client leaves, and the server is told [R17]', async () => {
    let isCancelled = false
    await using it = await world({
      handlers: {
        'tools/call': async (_, { sendNotification, signal, _meta: meta }) => {
          await sendNotification({
            method: 'notifications/progress',
            params: { progressToken: meta?.progressToken ?? 0, progress: 1 },
          })
          signal.addEventListener('abort', () => (isCancelled = true))
          return new Promise(() => undefined)
        },
      },
    })
    const stream = await it.client.begin(
      'tools/call',
      { name: 'a__echo' },
      { meta: { progressToken: 'p' } },
    )
    await stream.next('notifications/progress')
    stream.close()
    await waitUntil(() => isCancelled, 'the server to be told')
  })

  it('is never a batch, a response or part of a session [R15][R16]', async () => {
    await using it = await world()
    const headers = { 'mcp-protocol-version': VERSION }
    const answer = { jsonrpc: '2.0', id: 1, result: {} }
    expect((await post(it.gateway.url, [answer], headers)).status).toBe(400)
    expect((await post(it.gateway.url, answer, headers)).status).toBe(400)
    const notification = { jsonrpc: '2.0', method: 'notifications/x' }
    const taken = await post(it.gateway.url, notification, headers)
    expect([taken.status, taken.text]).toEqual([202, ''])
    const { headers: given } = await it.client.request(
      'tools/list',
      {},
      { headers: { 'mcp-session-id': 'x' } },
    )
    expect(given['mcp-session-id']).toBeUndefined()
  })

  it('shares one session at an old server with its like, and none with older clients [R93]', async () => {
    await using it = await world()
    const other = new ModernClient(it.gateway.url)
    const older = await openSession(it.gateway.url)
    await Promise.all([it.client.call('a__echo'), other.call('a__echo'), older.call('a__echo')])
    const sessions = it.upstream.asked('tools/call').map(({ sessionId }) => sessionId)
    expect(new Set(sessions).size).toBe(2)
  })
})

describe('subscriptions/listen', () => {
  const listen = (client: ModernClient, notifications: JsonObject, id: string | number = 'l') =>
    client.begin('subscriptions/listen', { notifications }, { id })
  const tag = (id: string | number) => ({ [`${PREFIX}subscriptionId`]: id })

  it('says first what it will tell of, and tells of that alone [R23][R24]', async () => {
    await using it = await world({
      capabilities: { resources: { subscribe: true } },
      handlers: { 'resources/subscribe': () => ({}), 'resources/unsubscribe': () => ({}) },
    })
    // Somebody else's session stays open, so that the subscription has to end by itself.
    await it.client.call('a__echo')
    const resourceSubscriptions = ['note://a/ü', 'note://nobody']
    const wanted = { toolsListChanged: true, promptsListChanged: true, resourceSubscriptions }
    const [stream, other] = await Promise.all([
      listen(it.client, wanted, 'mine'),
      listen(it.client, { resourcesListChanged: true }, 7),
    ])
    await stream.next('notifications/subscriptions/acknowledged')
    await other.next('notifications/subscriptions/acknowledged')
    it.upstream.lists.tools = [{ name: 'new', inputSchema: { type: 'object' } }]
    await it.upstream.notifyListChanged('tools')
    await stream.next('notifications/tools/list_changed')
    await it.upstream.notifyUpdated('note://a/ü')
    await stream.next('notifications/resources/updated')
    expect(stream.messages.map(({ method, params }) => [method, params])).toEqual([
      [
        'notifications/subscriptions/acknowledged',
        {
          notifications: { toolsListChanged: true, resourceSubscriptions: ['note://a/ü'] },
          _meta: tag('mine'),
        },
      ],
      ['notifications/tools/list_changed', { _meta: tag('mine') }],
      ['notifications/resources/updated', { uri: 'note://a/ü', _meta: tag('mine') }],
    ])
    expect(other.messages).toEqual([
      {
        jsonrpc: '2.0',
        method: 'notifications/subscriptions/acknowledged',
        params: { notifications: { resourcesListChanged: true }, _meta: tag(7) },
      },
    ])
    stream.close()
    other.close()
    const ended = () => it.upstream.asked('resources/unsubscribe').length > 0
    await waitUntil(ended, 'the subscription to end at the server')
  })

  it('ends with a result when the gateway stops [R25]', async () => {
    const it = await world()
    const stream = await listen(it.client, { toolsListChanged: true })
    await stream.next('notifications/subscriptions/acknowledged')
    await it[Symbol.asyncDispose]()
    await stream.ended
    expect(stream.messages.at(-1)).toEqual({
      jsonrpc: '2.0',
      id: 'l',
      result: { resultType: 'complete', _meta: tag('l') },
    })
  })

  it('needs to be told of what', async () => {
    await using it = await world()
    const answer = await it.client.request('subscriptions/listen')
    expect(codeOf(answer)).toBe(-32602)
  })
})
