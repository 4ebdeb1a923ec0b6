/** Who sees what, and who may do what with it: rules over principals, methods, phases, both eras. */
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { problemsOf } from '../support/config.js'
import { configOf, startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import type { RawResponse, RawSession } from '../support/raw-client.js'
import { get, openSession, post } from '../support/raw-client.js'
import { startUpstream } from '../support/upstream-server.js'

const KEYS = { ada: 'the-key-of-ada-0001', bob: 'the-key-of-bob-0001' }
const AS = {
  ada: { 'x-api-key': KEYS.ada },
  bob: { 'x-api-key': KEYS.bob },
  nobody: {},
} as const
type Who = keyof typeof AS
const EVERYBODY: readonly Who[] = ['ada', 'bob', 'nobody']

const toolOf = (name: string, annotations: JsonObject = {}) => ({
  name,
  inputSchema: { type: 'object' },
  annotations,
})

async function world(rules: readonly JsonObject[], more: JsonObject = {}) {
  const upstream = await startUpstream({
    tools: [toolOf('read', { readOnlyHint: true }), toolOf('write'), toolOf('drop')],
    prompts: [{ name: 'greet' }, { name: 'scold' }],
    resources: [
      { uri: 'note://open', name: 'open' },
      { uri: 'note://secret', name: 'secret' },
    ],
    templates: [{ uriTemplate: 'vault://{id}', name: 'vault' }],
    completions: true,
    capabilities: { resources: { subscribe: true } },
    handlers: {
      'tools/call': ({ name }) => ({ content: [{ type: 'text', text: `did ${String(name)}` }] }),
      'prompts/get': () => ({ messages: [] }),
      'resources/read': ({ uri = null }) => ({ contents: [{ uri, text: 'x' }] }),
      'resources/subscribe': () => ({}),
      'resources/unsubscribe': () => ({}),
      'completion/complete': () => ({ completion: { values: [] } }),
    },
  })
  const target = { name: 't', mcp: { url: upstream.url } }
  const config = {
    admin: { port: 0 },
    targets: [target],
    authentication: {
      mode: 'optional',
      apiKeys: [
        { name: 'ada', key: KEYS.ada, claims: { role: 'admin', teams: ['a', 'b'] } },
        { name: 'bob', key: KEYS.bob, claims: { role: 'user' } },
      ],
    },
    authorization: { rules: [...rules] },
    ...more,
  }
  const gateway = await startGateway(config)
  return {
    upstream,
    gateway,
    config,
    as: (who: Who, path = '') => openSession(gateway.url + path, undefined, {}, AS[who]),
    [Symbol.asyncDispose]: async () => {
      await gateway[Symbol.asyncDispose]()
      await upstream[Symbol.asyncDispose]()
    },
  }
}

async function namesIn(session: RawSession, kind: string): Promise<string[]> {
  const { json } = await session.request(`${kind}/list`)
  const [items] = Object.values(json['result'] as Record<string, JsonObject[]>)
  return (items ?? []).map((it) => String(it['name']).replace('t__', ''))
}
const isDone = ({ json }: RawResponse): boolean => json['result'] !== undefined

describe('rules', () => {
  /** Rules, and for each of them what everybody sees and may call: of read, write and drop. */
  const TABLE: readonly [string, JsonObject[], Record<Who, string>][] = [
    ['none', [], { ada: 'read write drop', bob: 'read write drop', nobody: 'read write drop' }],
    [
      'one that allows',
      [{ allow: 'apiKey.role == "admin"' }],
      { ada: 'read write drop', bob: '', nobody: '' },
    ],
    [
      'two that allow',
      [{ allow: 'apiKey.role == "admin"' }, { allow: 'mcp.tool.annotations.readOnlyHint == true' }],
      { ada: 'read write drop', bob: 'read', nobody: 'read' },
    ],
    [
      'one that denies',
      [{ deny: 'mcp.tool.name == "drop"' }],
      { ada: 'read write', bob: 'read write', nobody: 'read write' },
    ],
    [
      'one that denies and cannot be told of some',
      [{ deny: 'apiKey.role != "admin" && mcp.tool.name != "read"' }],
      { ada: 'read write drop', bob: 'read', nobody: 'read' },
    ],
    [
      'one that has to hold',
      [{ require: 'principal.kind != "anonymous"' }],
      { ada: 'read write drop', bob: 'read write drop', nobody: '' },
    ],
    [
      'one of each',
      [
        { allow: 'principal.name in ["ada", "bob"]' },
        { require: 'mcp.tool.target == "t"' },
        { deny: 'mcp.tool.exposedName.matches("^t__d.*") && apiKey.role == "user"' },
      ],
      { ada: 'read write drop', bob: 'read write', nobody: '' },
    ],
    [
      'of lists inside of claims',
      [{ allow: 'apiKey.teams.exists(it, it == "b")' }],
      { ada: 'read write drop', bob: '', nobody: '' },
    ],
    [
      'about other things',
      [{ deny: 'mcp.prompt.name == "greet"' }, { deny: 'mcp.resource.name == "x"' }],
      { ada: 'read write drop', bob: 'read write drop', nobody: 'read write drop' },
    ],
  ]

  it.each(TABLE)('%s: everybody sees and may call the same', async (_, rules, expected) => {
    await using it = await world(rules)
    for (const who of EVERYBODY) {
      const session = await it.as(who)
      expect(`${who}: ${(await namesIn(session, 'tools')).join(' ')}`).toBe(
        `${who}: ${expected[who]}`,
      )
      const modern = new ModernClient(it.gateway.url)
      const listed = await modern.request('tools/list', {}, { headers: AS[who] })
      const { tools, cacheScope } = listed.json['result'] as {
        tools: JsonObject[]
        cacheScope: string
      }
      expect(tools.map((tool) => String(tool['name']).replace('t__', '')).join(' ')).toBe(
        expected[who],
      )
      expect(cacheScope).toBe('private')
      for (const name of ['read', 'write', 'drop']) {
        const may = expected[who].split(' ').includes(name)
        expect([who, name, isDone(await session.call(`t__${name}`))]).toEqual([who, name, may])
        const called = await modern.call(`t__${name}`, {}, { headers: AS[who] })
        expect([who, name, isDone(called)]).toEqual([who, name, may])
      }
    }
  })

  it('deny in the words in which what is not there is answered, by every name', async () => {
    await using it = await world([{ deny: 'mcp.tool.name == "drop"' }])
    const session = await it.as('bob')
    const alone = await it.as('bob', '/t')
    for (const [asked, name, absent] of [
      [session, 't__drop', 't__none'],
      [session, 'drop', 'none'],
      [alone, 'drop', 'none'],
    ] as const) {
      const denied = await asked.call(name)
      const unknown = await asked.call(absent)
      expect(denied.json['error']).toEqual({ code: -32602, message: `Unknown tool: ${name}` })
      expect(unknown.json['error']).toEqual({ code: -32602, message: `Unknown tool: ${absent}` })
      expect(denied.status).toBe(unknown.status)
    }
    expect(it.upstream.asked('tools/call')).toEqual([])
    const { text } = await get(`${it.gateway.adminUrl}/metrics`)
    expect(text).toContain(
      'mcp_junction_denied_total{kind="tool",name="drop",target="t",reason="rule",principal="bob"} 2',
    )
  })

  it('know tools and prompts by one exposed name, whichever path they are asked at', async () => {
    await using it = await world([
      { deny: 'mcp.tool.exposedName == "t__drop"' },
      { deny: 'mcp.prompt.exposedName.startsWith("t__s")' },
    ])
    const alone = await it.as('bob', '/t')
    expect(await namesIn(alone, 'tools')).toEqual(['read', 'write'])
    expect(await namesIn(alone, 'prompts')).toEqual(['greet'])
    const modern = new ModernClient(`${it.gateway.url}/t`)
    expect([isDone(await alone.call('drop')), isDone(await modern.call('drop'))]).toEqual([
      false,
      false,
    ])
    expect(isDone(await alone.request('prompts/get', { name: 'scold' }))).toBe(false)
    expect(isDone(await alone.call('read'))).toBe(true)
    expect(it.upstream.asked('prompts/get')).toEqual([])
  })

  it('hold for prompts, resources, templates, completions and subscriptions', async () => {
    await using it = await world([
      { deny: 'mcp.prompt.name == "scold"' },
      { deny: 'mcp.resource.name == "note://secret"' },
      { deny: 'mcp.resource.name.startsWith("vault://")' },
    ])
    const session = await it.as('bob')
    expect(await namesIn(session, 'prompts')).toEqual(['greet'])
    expect(await namesIn(session, 'resources')).toEqual(['open'])
    expect(await namesIn(session, 'resources/templates')).toEqual([])
    expect(await namesIn(session, 'tools')).toEqual(['read', 'write', 'drop'])
    const argument = { name: 'a', value: 'b' }
    const prompt = (name: string) => ({ ref: { type: 'ref/prompt', name: `t__${name}` }, argument })
    const resource = (uri: string) => ({ ref: { type: 'ref/resource', uri }, argument })
    for (const [method, good, bad] of [
      ['prompts/get', { name: 't__greet' }, { name: 't__scold' }],
      ['resources/read', { uri: 'note://open' }, { uri: 'note://secret' }],
      ['resources/read', { uri: 'note://open' }, { uri: 'vault://1' }],
      ['completion/complete', prompt('greet'), prompt('scold')],
      ['completion/complete', prompt('greet'), resource('vault://{id}')],
      ['resources/subscribe', { uri: 'note://open' }, { uri: 'note://secret' }],
      ['resources/unsubscribe', { uri: 'note://open' }, { uri: 'note://secret' }],
    ] as const) {
      expect([method, isDone(await session.request(method, good))]).toEqual([method, true])
      const denied = await session.request(method, bad)
      expect(denied.json).toMatchObject({
        error: { message: expect.stringMatching(/^Unknown (prompt|resource): /) as string },
      })
    }
  })

  it('about arguments leave in lists what some arguments would allow, and decide when it is called', async () => {
    await using it = await world([
      { deny: 'mcp.tool.name == "write" && mcp.tool.arguments.path.startsWith("/etc")' },
      { allow: 'apiKey.role == "admin"' },
      { allow: 'apiKey.role == "user" && mcp.tool.arguments.path == "/home"' },
    ])
    const bob = await it.as('bob')
    expect(await namesIn(bob, 'tools')).toEqual(['read', 'write', 'drop'])
    expect(isDone(await bob.call('t__write', { path: '/home' }))).toBe(true)
    expect(isDone(await bob.call('t__write', { path: '/tmp' }))).toBe(false)
    expect(isDone(await bob.call('t__write', {}))).toBe(false)
    const ada = await it.as('ada')
    expect(isDone(await ada.call('t__write', { path: '/etc/passwd' }))).toBe(false)
    expect(isDone(await ada.call('t__write', { path: '/srv' }))).toBe(true)
    // Which path it is cannot be told: a deny that fails denies.
    expect(isDone(await ada.call('t__write', { path: 7 }))).toBe(false)
    expect(await namesIn(await it.as('nobody'), 'tools')).toEqual([])
  })

  it.each([
    ['mcp.tool.arguments.a == 1', true],
    ['apiKey.role == "user" && mcp.tool.arguments.a == 1', true],
    ['mcp.tool.arguments.a == 1 && apiKey.role == "user"', true],
    ['mcp.tool.arguments.a == 1 && apiKey.role == "admin"', false],
    ['apiKey.none == 1 && mcp.tool.arguments.a == 1', false],
    ['mcp.tool.arguments.a == 1 && !(mcp.tool.arguments.b == 2)', true],
    ['!(apiKey.role == "user") && !(mcp.tool.arguments.b == 2)', false],
    ['apiKey.role == "user" ? mcp.tool.arguments.a == 1 : false', true],
    ['apiKey.role == "admin" ? mcp.tool.arguments.a == 1 : false', false],
    ['[1, 2].exists(it, it == mcp.tool.arguments.a) && apiKey.role == "user"', true],
    [
      Array.from({ length: 9 }, (_, index) => `mcp.tool.arguments.a${index} == 1`).join(' && '),
      true,
    ],
  ])('that allow by %s: %s in lists', async (allow, isShown) => {
    await using it = await world([{ allow }])
    expect((await namesIn(await it.as('bob'), 'tools')).length > 0).toBe(isShown)
  })

  it('may tell the phases, the client, headers and addresses apart', async () => {
    await using it = await world([
      { deny: 'mcp.phase == "list" && mcp.tool.name == "drop"' },
      { deny: 'mcp.phase == "call" && mcp.tool.name == "write"' },
      { require: 'request.headers["x-zone"] == "inside" || mcp.tool.name != "read"' },
      { require: 'source.address.endsWith("127.0.0.1") && mcp.client.name == "raw"' },
    ])
    const session = await it.as('bob')
    expect(await namesIn(session, 'tools')).toEqual(['write'])
    expect(isDone(await session.call('t__drop'))).toBe(true)
    expect(isDone(await session.call('t__write'))).toBe(false)
    const inside = await openSession(
      it.gateway.url,
      undefined,
      {},
      { ...AS.bob, 'x-zone': 'inside' },
    )
    expect(await namesIn(inside, 'tools')).toEqual(['read', 'write'])
    const other = await new ModernClient(it.gateway.url).request(
      'tools/list',
      {},
      { headers: AS.bob },
    )
    expect(other.json['result']).toMatchObject({ tools: [] })
  })

  it('that change while the gateway runs are told to those whose lists they change, and to no others', async () => {
    await using it = await world([{ deny: 'mcp.tool.name == "drop"' }])
    const [ada, bob] = [await it.as('ada'), await it.as('bob')]
    const [adas, bobs] = [await ada.listen(), await bob.listen()]
    const rules = [{ deny: 'mcp.tool.name == "drop" || apiKey.role == "user"' }]
    it.gateway.apply(configOf({ ...it.config, authorization: { rules } }))
    await bobs.next('notifications/tools/list_changed')
    expect(await namesIn(bob, 'tools')).toEqual([])
    expect(adas.messages).toEqual([])
    it.gateway.apply(configOf({ ...it.config, authorization: { rules: [] } }))
    await adas.next('notifications/tools/list_changed')
    expect(await namesIn(ada, 'tools')).toEqual(['read', 'write', 'drop'])
    adas.close()
    bobs.close()
  })

  it('hide changes of what somebody may not see', async () => {
    await using it = await world([{ deny: 'mcp.tool.name == "drop" && apiKey.role != "admin"' }])
    const [adas, bobs] = [await (await it.as('ada')).listen(), await (await it.as('bob')).listen()]
    it.upstream.lists.tools = it.upstream.lists.tools.filter((tool) => tool['name'] !== 'drop')
    await it.upstream.notifyListChanged('tools')
    await adas.next('notifications/tools/list_changed')
    it.upstream.lists.prompts = [{ name: 'new' }]
    await it.upstream.notifyListChanged('prompts')
    await bobs.next('notifications/prompts/list_changed')
    expect(bobs.messages.map((message) => message['method'])).toEqual([
      'notifications/prompts/list_changed',
    ])
    adas.close()
    bobs.close()
  })
})

describe('links', () => {
  const page = (uri: string) => ({ ui: { resourceUri: uri, visibility: ['app'] }, k: 1 })
  const withPages = (name: string, _meta: JsonObject) => ({ ...toolOf(name), _meta })
  const link = (uri: string) => ({ type: 'resource_link', uri, name: 'x' })
  const embedded = (uri: string) => ({ type: 'resource', resource: { uri, text: 'x' } })
  const OPEN = 'ui://open/app.html'
  const SHUT = 'ui://shut/app.html'
  const WEB = 'https://example.com/page'
  const BOTH = [link(SHUT), link(OPEN), link(WEB), embedded(SHUT), { type: 'text', text: SHUT }]

  /** The resources are in no list, as servers may have it. */
  async function pages(rules: readonly JsonObject[], twins = false) {
    const start = () =>
      startUpstream({
        tools: [
          withPages('open', page(OPEN)),
          withPages('shut', page(SHUT)),
          withPages('older', { 'ui/resourceUri': SHUT, 'openai/outputTemplate': SHUT }),
          withPages('bare', { ui: { resourceUri: SHUT }, n: 1.0 }),
        ],
        resources: twins ? [{ uri: SHUT, name: 'shut' }] : [],
        handlers: {
          'tools/call': () => ({
            content: BOTH,
            structuredContent: { uri: SHUT },
            _meta: page(SHUT),
          }),
          'prompts/get': () => ({
            messages: BOTH.map((content) => ({ role: 'user', content })),
          }),
          'resources/read': ({ uri = null }) => ({ contents: [{ uri, text: 'x' }] }),
        },
        prompts: [{ name: 'p' }],
      })
    const upstreams = await Promise.all(twins ? [start(), start()] : [start()])
    const gateway = await startGateway({
      targets: upstreams.map(({ url }, index) => ({ name: `t${index}`, mcp: { url } })),
      authentication: {
        mode: 'optional',
        apiKeys: [{ name: 'ada', key: KEYS.ada, claims: { role: 'admin' } }],
      },
      authorization: { rules: [...rules] },
    })
    return {
      gateway,
      upstreams,
      [Symbol.asyncDispose]: async () => {
        await gateway[Symbol.asyncDispose]()
        for (const upstream of upstreams) await upstream[Symbol.asyncDispose]()
      },
    }
  }
  type Ask = (method: string, params?: JsonObject) => Promise<JsonObject>

  /** The same caller in both eras. */
  async function askers(url: string, who: Who): Promise<Ask[]> {
    const session = await openSession(url, undefined, {}, AS[who])
    const modern = new ModernClient(url)
    return [
      async (method, params) => (await session.request(method, params)).json,
      async (method, params) => (await modern.request(method, params, { headers: AS[who] })).json,
    ]
  }
  const metas = (json: JsonObject) =>
    (json['result'] as { tools: JsonObject[] }).tools.map((it) => it['_meta'])

  it('to what may not be read are in no list and no result, and lead nowhere', async () => {
    const deny = `mcp.resource.name == "${SHUT}" && principal.name != "ada"`
    await using it = await pages([{ deny }])
    for (const ask of await askers(it.gateway.url, 'nobody')) {
      expect(metas(await ask('tools/list'))).toEqual([
        page(OPEN),
        { ui: { visibility: ['app'] }, k: 1 },
        undefined,
        { n: 1 },
      ])
      const { result } = await ask('tools/call', { name: 't0__open' })
      expect(result).toMatchObject({
        content: BOTH.slice(1),
        structuredContent: { uri: SHUT },
        _meta: { ui: { visibility: ['app'] }, k: 1 },
      })
      const prompt = await ask('prompts/get', { name: 't0__p' })
      expect(prompt['result']).toMatchObject({
        messages: BOTH.slice(1).map((content) => ({ content })),
      })
      expect(await ask('resources/read', { uri: OPEN })).toHaveProperty('result')
      const denied = await ask('resources/read', { uri: SHUT })
      const absent = await ask('resources/read', { uri: `${SHUT}x` })
      expect(denied['error']).toMatchObject({ message: `Unknown resource: ${SHUT}` })
      expect(absent).toHaveProperty('result')
    }
    const reads = it.upstreams[0]?.asked('resources/read').map(({ params }) => params['uri'])
    expect(reads).not.toContain(SHUT)
    for (const ask of await askers(it.gateway.url, 'ada')) {
      expect(metas(await ask('tools/list'))[1]).toEqual(page(SHUT))
      const { result } = await ask('tools/call', { name: 't0__open' })
      expect(result).toMatchObject({ content: BOTH, _meta: page(SHUT) })
      expect(await ask('resources/read', { uri: SHUT })).toHaveProperty('result')
    }
  })

  it('are told apart by whose they are, under the names that clients know', async () => {
    await using it = await pages([{ deny: 'mcp.resource.target == "t0"' }], true)
    for (const ask of await askers(it.gateway.url, 'nobody')) {
      const [, mine, , , , theirs] = metas(await ask('tools/list'))
      expect(mine).toEqual({ ui: { visibility: ['app'] }, k: 1 })
      expect(theirs).toEqual(page('ui://t1/shut/app.html'))
      const first = await ask('tools/call', { name: 't0__open' })
      expect(JSON.stringify(first)).not.toMatch(/"resource_link","uri":"ui:/)
      const second = await ask('tools/call', { name: 't1__open' })
      expect(JSON.stringify(second)).toContain('"uri":"ui://t1/shut/app.html","name":"x"')
    }
  })

  it('stay where a resource is kept out of lists alone, and come and go with the rules', async () => {
    await using it = await pages([{ deny: 'mcp.phase == "list" && mcp.resource.name != ""' }])
    for (const ask of await askers(it.gateway.url, 'nobody')) {
      expect(metas(await ask('tools/list'))[0]).toEqual(page(OPEN))
    }
    const config = { targets: [{ name: 't0', mcp: { url: it.upstreams[0]?.url ?? '' } }] }
    it.gateway.apply(
      configOf({ ...config, authorization: { rules: [{ deny: 'mcp.resource.name != ""' }] } }),
    )
    const session = await openSession(it.gateway.url)
    const { json } = await session.request('tools/list')
    expect(metas(json)[0]).toEqual({ ui: { visibility: ['app'] }, k: 1 })
  })
})

describe('a rule', () => {
  it.each([
    ['mcp.tol.name == "x"', /No such key: tol/],
    ['mcp.tool.nam == "x"', /No such key: nam/],
    ['nobody.name == "x"', /Unknown variable: nobody/],
    ['mcp.tool.name == 1', /no such overload/],
    ['mcp.tool.name', /true or false, not of type string/],
    ['mcp.tool.name == "x', /not a rule/],
    ['__proto__ == "x"', /not a rule/],
    ['(('.repeat(40) + 'true' + '))'.repeat(40), /not a rule/],
    [`mcp.tool.name in [${Array.from({ length: 300 }, () => '"x"').join()}]`, /not a rule/],
  ])('%s is refused when it is loaded, with its place', async (rule, message) => {
    const problems = await problemsOf(
      JSON.stringify({ authorization: { rules: [{ deny: rule }] } }),
    )
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(/authorization\.rules\[0\]\.deny: not a rule: /)
    expect(problems[0]).toMatch(message)
  })

  it('has one effect', async () => {
    const both = '{ allow: "true", deny: "true" }'
    expect(await problemsOf(`authorization: { rules: [${both}, {}] }`)).toEqual([
      '1:26 authorization.rules[0]: expected exactly one of "allow", "deny" and "require"',
      '1:59 authorization.rules[1]: expected exactly one of "allow", "deny" and "require"',
    ])
  })

  it('with a pattern that explodes takes no longer for what a client sends', async () => {
    await using it = await world([{ deny: 'mcp.tool.arguments.text.matches("^(a+)+$")' }])
    const session = await it.as('bob')
    const startedAt = Date.now()
    const { status } = await session.call('t__read', { text: `${'a'.repeat(50_000)}!` })
    expect(status).toBe(200)
    expect(Date.now() - startedAt).toBeLessThan(2_000)
  })

  it('that goes through lists takes no longer for those that a client makes huge', async () => {
    const list = 'mcp.tool.arguments.list'
    const nested = `${list}.exists(x, ${list}.exists(y, ${list}.exists(z, x == -1.0)))`
    await using it = await world([{ deny: nested }, { deny: nested }])
    const [session, other] = [await it.as('bob'), await it.as('ada')]
    const numbers = Array.from({ length: 10_000 }, (_, index) => index)
    const [denied, answered] = await Promise.all([
      session.call('t__read', { list: numbers }),
      other.request('ping'),
    ])
    // It cannot be told, and a deny that cannot be told denies. Without an end to it, none of this would be answered.
    expect([isDone(denied), isDone(answered)]).toEqual([false, true])
    expect(isDone(await session.call('t__read', { list: [1, 2, 3] }))).toBe(true)
  })

  it('is not asked about arguments that a server could read in another way', async () => {
    await using it = await world([
      { deny: 'mcp.tool.arguments.path.startsWith("/etc")' },
      { deny: 'mcp.prompt.arguments.who == "root"' },
    ])
    const { url, headers } = await it.as('bob')
    const ask = (method: string, params: string) =>
      post(url, `{"jsonrpc":"2.0","id":1,"method":"${method}","params":${params}}`, headers)
    for (const given of [
      '{"path":"/etc/passwd","path":"/srv"}',
      '{"path":"/etc/passwd","p\\u0061th":"/srv"}',
      '{"path":"/srv","more":[{"a":1,"a":2}]}',
    ]) {
      const { json } = await ask('tools/call', `{"name":"t__read","arguments":${given}}`)
      expect(json).toMatchObject({
        error: { code: -32602, message: expect.stringContaining('stands twice') as string },
      })
    }
    const prompt = '{"name":"t__greet","arguments":{"who":"root","who":"me"}}'
    expect(isDone(await ask('prompts/get', prompt))).toBe(false)
    const twice = '{"name":"t__read","arguments":{"path":"/etc"},"arguments":{"path":"/srv"}}'
    expect(isDone(await ask('tools/call', twice))).toBe(false)
    expect(it.upstream.asked('tools/call')).toEqual([])
    expect(isDone(await ask('tools/call', '{"name":"t__read","arguments":{"path":"/srv"}}'))).toBe(
      true,
    )
  })

  it('is not fooled by arguments that look like what rules see', async () => {
    await using it = await world([
      { allow: 'has(mcp.tool.arguments.ok) && mcp.tool.arguments.ok == true' },
    ])
    const session = await it.as('bob')
    const polluting = JSON.parse(
      '{"__proto__":{"ok":true},"constructor":{"ok":true}}',
    ) as JsonObject
    expect(isDone(await session.call('t__read', polluting))).toBe(false)
    expect(isDone(await session.call('t__read', { ok: true }))).toBe(true)
  })
})
