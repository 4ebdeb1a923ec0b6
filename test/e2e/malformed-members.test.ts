/** JSON that parses and yet cannot be passed on: nested without end, or with a key that stands twice; from both sides. */
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import type { RawSession, Stream } from '../support/raw-client.js'
import { openSession, post } from '../support/raw-client.js'
import { answerJson, startHostile, startRawHttp } from '../support/raw-http-server.js'
import { startEcho } from '../support/upstream-server.js'

const LEVELS = 100_000
const DEEP = {
  arrays: '['.repeat(LEVELS) + ']'.repeat(LEVELS),
  objects: '{"a":'.repeat(LEVELS) + '1' + '}'.repeat(LEVELS),
}
const TWICE = '"k":1,"k":2'
const result = (id: string, members: string) => `{"jsonrpc":"2.0","id":${id},"result":{${members}}}`

/** Every failure that nobody caught would end the process: vitest reports it, and so does the next call. */
async function isAlive(session: RawSession): Promise<boolean> {
  return (await session.call('good__echo')).json['result'] !== undefined
}

/** A server whose call is answered with these bytes, beside one that is as it should be. */
async function worldOf(answer: (id: string, token: string) => string, type = 'application/json') {
  const bad = await startHostile(({ id, params }, response) => {
    const meta = (params as JsonObject)['_meta'] as JsonObject | undefined
    response.writeHead(200, { 'content-type': type })
    response.end(answer(JSON.stringify(id), JSON.stringify(meta?.['progressToken'] ?? null)))
  })
  const good = await startEcho()
  const gateway = await startGateway({
    targets: [
      { name: 'bad', mcp: { url: bad.url } },
      { name: 'good', mcp: { url: good.url } },
    ],
  })
  return {
    gateway,
    [Symbol.asyncDispose]: async () => {
      await gateway[Symbol.asyncDispose]()
      await good[Symbol.asyncDispose]()
      await bad[Symbol.asyncDispose]()
    },
  }
}

describe('a server that answers with', () => {
  const error = (id: string, members: string) =>
    `{"jsonrpc":"2.0","id":${id},"error":{"code":-32000,"message":"no",${members}}}`

  it.each<[string, (id: string) => string]>([
    ['a deep result', (id) => result(id, `"content":[${DEEP.arrays}]`)],
    ['a deep result of objects', (id) => result(id, `"structuredContent":${DEEP.objects}`)],
    ['deep data of an error', (id) => error(id, `"data":${DEEP.arrays}`)],
    ['deep data of an error, of objects', (id) => error(id, `"data":${DEEP.objects}`)],
    ['a result twice', (id) => `{"jsonrpc":"2.0","id":${id},"result":{},"result":{}}`],
    ['data of an error twice', (id) => error(id, '"data":1,"data":2')],
  ])('%s is no server whose call hangs', async (_, answer) => {
    await using it = await worldOf(answer)
    const session = await openSession(it.gateway.url)
    expect((await session.call('bad__bad')).json).toMatchObject({
      error: { code: -32603, data: { target: 'bad', reason: 'protocol' } },
    })
    expect(await isAlive(session)).toBe(true)
    const modern = await new ModernClient(it.gateway.url).call('bad__bad')
    expect(modern.json).toMatchObject({ error: { code: -32603 } })
  })

  const event = (text: string) => `data: ${text}\n\n`
  const notification = (method: string, members: string) =>
    event(`{"jsonrpc":"2.0","method":"notifications/${method}","params":{${members}}}`)
  const question = (members: string) =>
    event(
      `{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"?",${members}}}`,
    )
  it.each<[string, (token: string) => string]>([
    [
      'progress',
      (token) => notification('progress', `"progressToken":${token},"progress":1,${TWICE}`),
    ],
    [
      'deep progress',
      (token) =>
        notification('progress', `"progressToken":${token},"progress":1,"x":${DEEP.arrays}`),
    ],
    ['a log message', () => notification('message', `"level":"error","data":1,${TWICE}`)],
    ['a question', () => question(`"requestedSchema":{"type":"object"},${TWICE}`)],
    ['a question with _meta', () => question(`"requestedSchema":{},"_meta":{${TWICE}}`)],
    ['a resource that changed', () => notification('resources/updated', `"uri":"x://y",${TWICE}`)],
    [
      'the state of a task',
      () => notification('tasks/status', `"taskId":"t","status":"working",${TWICE}`),
    ],
    [
      'a completed elicitation',
      () => notification('elicitation/complete', `"elicitationId":"t",${TWICE}`),
    ],
  ])('%s that says a key twice, and then a result, is outlived', async (_, before) => {
    await using it = await worldOf(
      (id, token) => before(token) + event(result(id, '"content":[]')),
      'text/event-stream',
    )
    const session = await openSession(it.gateway.url, undefined, { elicitation: {} })
    const params = { name: 'bad__bad', arguments: {}, _meta: { progressToken: 'p' } }
    const answered = await session.request('tools/call', params)
    expect(answered.json).toMatchObject({ id: 1 })
    expect(await isAlive(session)).toBe(true)
  })

  it.each([
    `"content":[],"_meta":{${TWICE}}`,
    `"content":[],${TWICE}`,
    `"content":[{"type":"resource_link","uri":"a://b","name":"x",${TWICE}}]`,
    `"content":[],"structuredContent":[],${TWICE}`,
    `"resultType":"input_required","inputRequests":{"a":{${TWICE}}},${TWICE}`,
  ])('the result %s is one that is answered', async (members) => {
    await using it = await worldOf((id) => result(id, members))
    const session = await openSession(it.gateway.url)
    expect((await session.call('bad__bad')).json).toMatchObject({
      id: expect.any(Number) as number,
    })
    const modern = await new ModernClient(it.gateway.url).call('bad__bad')
    expect(modern.json).toMatchObject({ jsonrpc: '2.0' })
    expect(await isAlive(session)).toBe(true)
  })
})

describe('a child process that answers with', () => {
  it('a deep result is no server whose call hangs', async () => {
    const script = `
      const deep = '['.repeat(${LEVELS}) + ']'.repeat(${LEVELS})
      const say = (id, result) => console.log('{"jsonrpc":"2.0","id":' + id + ',"result":' + result + '}')
      require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
        const { id, method } = JSON.parse(line)
        if (method === 'initialize') say(id, '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"deep","version":"1"}}')
        if (method === 'tools/list') say(id, '{"tools":[{"name":"bad","inputSchema":{"type":"object"}}]}')
        if (method === 'tools/call') say(id, '{"content":' + deep + '}')
        if (method === 'server/discover') console.log('{"jsonrpc":"2.0","id":' + id + ',"error":{"code":-32601,"message":""}}')
      }).on('close', () => process.exit())`
    await using good = await startEcho()
    await using gateway = await startGateway({
      targets: [
        { name: 'bad', stdio: { command: process.execPath, args: ['-e', script] } },
        { name: 'good', mcp: { url: good.url } },
      ],
    })
    const session = await openSession(gateway.url)
    expect((await session.call('bad__bad')).json).toMatchObject({
      error: { code: -32603, message: expect.stringContaining('nested deeper') as string },
    })
    expect(await isAlive(session)).toBe(true)
  })
})

describe('a server whose list has', () => {
  it.each<[string, string, string[]]>([
    ['a tool with a key twice', `{"name":"odd","inputSchema":{},${TWICE}}`, ['odd']],
    ['a tool with a key twice within', `{"name":"odd","inputSchema":{"a":{${TWICE}}}}`, ['odd']],
    ['a tool with two names', '{"name":"odd","name":"odder","inputSchema":{}}', ['odder']],
    ['a name as long as a book', `{"name":"${'x'.repeat(10_000)}","inputSchema":{}}`, []],
  ])('%s takes nobody else’s away', async (_, item, odd) => {
    await using bad = await startRawHttp((message, response) => {
      const { id, method } = message
      if (id === undefined) return void response.writeHead(202).end()
      if (method === 'initialize') {
        return answerJson(response, message, {
          protocolVersion: '2025-11-25',
          capabilities: { tools: {} },
          serverInfo: { name: 'bad', version: '1' },
        })
      }
      if (method !== 'tools/list') return void response.writeHead(400).end()
      response.writeHead(200, { 'content-type': 'application/json' })
      const tools = `${item},{"name":"fine","inputSchema":{}}`
      response.end(result(JSON.stringify(id), `"tools":[${tools}]`))
    })
    await using good = await startEcho()
    await using gateway = await startGateway({
      targets: [
        { name: 'bad', mcp: { url: bad.url } },
        { name: 'good', mcp: { url: good.url } },
      ],
    })
    for (const [path, names] of [
      ['', [...odd.map((it) => `bad__${it}`), 'bad__fine', 'good__echo']],
      ['/bad', [...odd, 'fine']],
    ] as const) {
      const { json } = await (await openSession(gateway.url + path)).request('tools/list')
      const { tools } = json['result'] as { tools: JsonObject[] }
      expect(tools.map((it) => it['name'])).toEqual(names)
    }
  })
})

describe('a client that answers a question', () => {
  it.each<[string, string]>([
    ['with deep data of an error', `"error":{"code":1,"message":"x","data":${DEEP.arrays}}`],
    ['with an error twice', '"error":{"code":1,"message":"x"},"error":{"code":2,"message":"x"}'],
    ['with data of an error twice', '"error":{"code":1,"message":"x","data":1,"data":2}'],
    ['with a deep result', `"result":{"action":"accept","content":${DEEP.objects}}`],
    ['with a result twice', '"result":{},"result":{}'],
    [
      'with a task twice',
      `"result":{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t",${TWICE}},"a":1,"a":2}}`,
    ],
  ])('%s is refused or dropped, and may answer again', async (_, members) => {
    await using it = await asking()
    const { session, stream, id } = await it.asked()
    const answer = await post(
      session.url,
      `{"jsonrpc":"2.0","id":${id},${members}}`,
      session.headers,
    )
    expect([202, 400]).toContain(answer.status)
    expect((await session.request('ping')).json).toHaveProperty('result')
    // What was dropped is still awaited; what was delivered has ended the call.
    await post(
      session.url,
      `{"jsonrpc":"2.0","id":${id},"result":{"action":"decline"}}`,
      session.headers,
    )
    await stream.ended
    expect(stream.messages.at(-1)).toHaveProperty('result')
  })

  it.each([TWICE, `"x":${DEEP.arrays}`])(
    'and tells of progress with %.20s is still served',
    async (members) => {
      await using it = await asking()
      const { session, stream, id } = await it.asked()
      const progress = `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${id},"progress":1,${members}}}`
      expect([202, 400]).toContain((await post(session.url, progress, session.headers)).status)
      await session.answer(JSON.parse(id) as string, { action: 'decline' })
      await stream.ended
      expect(stream.messages.at(-1)).toHaveProperty('result')
    },
  )
})

describe('a client that sends', () => {
  const CLAIM =
    '"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}'
  const MODERN = {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/call',
    'mcp-name': 'a__echo',
  }
  const CALL = '"method":"tools/call","params":{"name":"a__echo"'

  it.each<[string, (deep: string, meta: string) => string]>([
    ['arguments', (deep, meta) => `"id":1,${CALL},"arguments":{"x":${deep}},"_meta":{${meta}}}`],
    ['_meta', (deep, meta) => `"id":1,${CALL},"_meta":{${meta},"x":${deep}}}`],
    ['params', (deep, meta) => `"id":1,${CALL},"x":${deep},"_meta":{${meta}}}`],
    ['an id', (deep, meta) => `"id":${deep},${CALL},"_meta":{${meta}}}`],
    ['a method', (deep, meta) => `"id":1,"method":${deep},"params":{"_meta":{${meta}}}`],
    ['something else', (deep, meta) => `"id":1,${CALL},"_meta":{${meta}}},"x":${deep}`],
    ['a result', (deep) => `"id":1,"result":{"x":${deep}}`],
    ['an error', (deep) => `"id":1,"error":{"code":1,"message":"x","data":${deep}}`],
  ])('%s a hundred thousand levels deep is refused, in both eras', async (_, members) => {
    await using upstream = await startEcho()
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    for (const deep of Object.values(DEEP)) {
      for (const [meta, headers] of [
        ['"a":1', session.headers],
        [CLAIM, MODERN],
      ] as const) {
        const answer = await post(gateway.url, `{"jsonrpc":"2.0",${members(deep, meta)}}`, headers)
        expect(answer.status).toBe(400)
        expect(answer.json).toMatchObject({ error: { code: -32600 } })
      }
    }
    expect(upstream.asked('tools/call')).toEqual([])
    expect((await session.call('a__echo')).json).toHaveProperty('result')
  })

  it.each(['1e999', '-1e999', '123456789012345678901234567890', '1.5', '9'.repeat(100_000)])(
    'the id %.12s, which is no integer that both sides can write, is refused',
    async (id) => {
      await using gateway = await startGateway({ targets: [] })
      const { headers } = await openSession(gateway.url)
      const answer = await post(
        gateway.url,
        `{"jsonrpc":"2.0","id":${id},"method":"ping"}`,
        headers,
      )
      expect([answer.status, answer.json['id']]).toEqual([400, null])
    },
  )

  it('huge numbers in arguments has them passed on as they are', async () => {
    await using upstream = await startEcho()
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const { headers } = await openSession(gateway.url)
    const numbers = '[1e400,-1e400,123456789012345678901234567890,1.0,1e-400]'
    const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a__echo","arguments":{"n":${numbers}}}}`
    const answer = await post(gateway.url, body, headers)
    expect(answer.json).toHaveProperty('result')
    expect(upstream.asked('tools/call')[0]?.params['arguments']).toEqual({
      n: [Infinity, -Infinity, 1.2345678901234568e29, 1, 0],
    })
  })

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    'the name %s means nothing',
    async (name) => {
      await using upstream = await startEcho({ completions: true, prompts: [{ name: 'p' }] })
      await using gateway = await startGateway({
        targets: [{ name: 'a', mcp: { url: upstream.url } }],
      })
      const session = await openSession(gateway.url)
      const modern = new ModernClient(gateway.url)
      for (const ask of [session, modern]) {
        expect((await ask.request(name)).json).toMatchObject({ error: { code: -32601 } })
        expect((await ask.call(name)).json).toMatchObject({ error: { code: -32602 } })
        expect((await ask.request('prompts/get', { name })).json).toMatchObject({
          error: { code: -32602 },
        })
        const ref = { type: name, name, uri: name }
        expect((await ask.request('completion/complete', { ref })).json).toMatchObject({
          error: { code: -32602 },
        })
      }
      const given = `{"name":"a__echo","arguments":{"${name}":{"polluted":true}},"${name}":{"polluted":true},"_meta":{"${name}":{"polluted":true}}}`
      const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${given}}`
      expect((await post(gateway.url, body, session.headers)).text).toContain(
        `{\\"${name}\\":{\\"polluted\\":true}}`,
      )
      expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
    },
  )
})

/** A server whose only call asks its client something, and a way to have been asked. */
async function asking() {
  const upstream = await startEcho({
    handlers: {
      'tools/call': async (_params, { sendRequest }) => {
        const params = {
          message: '?',
          requestedSchema: { type: 'object' as const, properties: {} },
        }
        const anything = {
          parse: (it: unknown) => it,
          safeParse: (data: unknown) => ({ success: true, data }),
        }
        await sendRequest({ method: 'elicitation/create', params }, anything as never).catch(
          () => undefined,
        )
        return { content: [] }
      },
    },
  })
  const gateway = await startGateway({ targets: [{ name: 'a', mcp: { url: upstream.url } }] })
  return {
    asked: async (): Promise<{ session: RawSession; stream: Stream; id: string }> => {
      const session = await openSession(gateway.url, undefined, { elicitation: {} })
      const stream = await session.begin('tools/call', {
        name: 'a__echo',
        arguments: {},
        _meta: { progressToken: 1 },
      })
      await stream.next('elicitation/create')
      return { session, stream, id: JSON.stringify(stream.messages[0]?.['id']) }
    },
    [Symbol.asyncDispose]: async () => {
      await gateway[Symbol.asyncDispose]()
      await upstream[Symbol.asyncDispose]()
    },
  }
}
