/** Who is let in: tokens of a real issuer, keys, nobody; and what is whose. */
import { createHash, createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { problemsOf } from '../support/config.js'
import { configOf, startGateway } from '../support/gateway.js'
import { Issuer } from '../support/issuer.js'
import { ModernClient } from '../support/modern-client.js'
import { get, initializeRequest, openSession, post, send } from '../support/raw-client.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const KEY = 'a-key-of-the-test-0001'
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

async function world(authentication: JsonObject = {}, more: JsonObject = {}) {
  const issuer = await Issuer.start()
  const upstream = await startEcho()
  const gateway = await startGateway({
    targets: [{ name: 'a', mcp: { url: upstream.url } }],
    ...more,
    authentication: {
      mode: 'strict',
      jwt: [{ issuer: issuer.url, audiences: ['gateway'], jwks: { url: `${issuer.url}/keys` } }],
      apiKeys: [
        { name: 'ci', key: KEY },
        {
          name: 'hashed',
          // Of "another-key-of-the-test".
          sha256: '7b27559c9f62068fa6b086c1d0bbefd7ed4ad5a965ed34cdec91aca9a0b7edcb',
        },
      ],
      ...authentication,
    },
  })
  const enter = (headers: Record<string, string>, url = gateway.url) =>
    post(url, initializeRequest(), headers)
  return {
    issuer,
    upstream,
    gateway,
    enter,
    [Symbol.asyncDispose]: async () => {
      await gateway[Symbol.asyncDispose]()
      await upstream[Symbol.asyncDispose]()
      await issuer[Symbol.asyncDispose]()
    },
  }
}

const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

describe('a strict gateway', () => {
  it('lets in whoever shows a good token or key, on every request [R74][R75]', async () => {
    await using it = await world()
    const token = await it.issuer.token()
    expect((await it.enter(bearer(token))).status).toBe(200)
    expect((await it.enter(bearer(KEY))).status).toBe(200)
    expect((await it.enter({ 'x-api-key': KEY })).status).toBe(200)
    expect((await it.enter(bearer('another-key-of-the-test'))).status).toBe(200)
    const { headers } = await it.enter(bearer(token))
    const session = { 'mcp-session-id': String(headers['mcp-session-id']) }
    const call = {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'a__echo', arguments: {} },
    }
    expect((await post(it.gateway.url, call, { ...session, ...bearer(token) })).status).toBe(200)
    expect((await post(it.gateway.url, call, session)).status).toBe(401)
    expect(
      (await send('GET', it.gateway.url, undefined, { ...session, accept: 'text/event-stream' }))
        .status,
    ).toBe(401)
    expect((await send('DELETE', it.gateway.url, undefined, session)).status).toBe(401)
    for (const { authorization } of it.upstream.headers) expect(authorization).toBeUndefined()
  })

  it('keeps the sessions of one from all others, as if there were none [R76]', async () => {
    await using it = await world()
    const ada = bearer(await it.issuer.token({ subject: 'ada' }))
    const bob = bearer(await it.issuer.token({ subject: 'bob' }))
    const { headers } = await it.enter(ada)
    const session = { 'mcp-session-id': String(headers['mcp-session-id']) }
    const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }
    expect((await post(it.gateway.url, ping, { ...session, ...ada })).status).toBe(200)
    const again = bearer(await it.issuer.token({ subject: 'ada', expires: 100 }))
    expect((await post(it.gateway.url, ping, { ...session, ...again })).status).toBe(200)
    for (const other of [bob, bearer(KEY)]) {
      expect((await post(it.gateway.url, ping, { ...session, ...other })).status).toBe(404)
      const ended = await send('DELETE', it.gateway.url, undefined, { ...session, ...other })
      expect(ended.status).toBe(404)
    }
    expect((await post(it.gateway.url, ping, { ...session, ...ada })).status).toBe(200)
  })

  it('takes a token for one server alone at the address of that, and nowhere else [R73]', async () => {
    const resource = 'https://mcp.example.com/mcp'
    await using it = await world({ resourceMetadata: { resource } })
    const own = bearer(await it.issuer.token({ audience: `${resource}/a` }))
    const ask = async (headers: typeof own) => {
      const paths = ['/a', '', '/b', '/a/a', '/a']
      const answers = paths.map((path) => it.enter(headers, it.gateway.url + path))
      return (await Promise.all(answers)).map(({ status }) => status)
    }
    // Nobody has said that tokens for this address are accepted.
    expect(await ask(own)).toEqual([401, 401, 401, 401, 401])
    const issuer = { issuer: it.issuer.url, jwks: { url: `${it.issuer.url}/keys` } }
    it.gateway.apply(
      configOf({
        targets: [{ name: 'a', mcp: { url: it.upstream.url } }],
        authentication: {
          mode: 'strict',
          jwt: [{ ...issuer, audiences: [resource] }],
          resourceMetadata: { resource },
        },
      }),
    )
    expect((await it.enter(own, `${it.gateway.url}/a`)).status).toBe(200)
    expect(await ask(own)).toEqual([200, 401, 401, 401, 200])
    const both = bearer(await it.issuer.token({ audience: [`${resource}/a`, resource] }))
    expect(await ask(both)).toEqual([200, 200, 404, 404, 200])
  })

  it('tells those without credentials how to get them, and others no more than that theirs are bad [R70][R71]', async () => {
    await using it = await world({ resourceMetadata: { scopesSupported: ['mcp:use'] } })
    const { origin } = new URL(it.gateway.url)
    const missing = await it.enter({}, `${it.gateway.url}/a`)
    expect(missing.status).toBe(401)
    expect(missing.headers['www-authenticate']).toBe(
      `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp/a", scope="mcp:use"`,
    )
    const bad = await it.enter(bearer('no-such-key-or-token'))
    expect(bad.status).toBe(401)
    expect(bad.headers['www-authenticate']).toMatch(
      /^Bearer error="invalid_token", resource_metadata=/,
    )
    expect(bad.json).toMatchObject({ error: { message: 'the credentials are not valid' } })
    for (const [path, resource] of [
      ['', '/mcp'],
      ['/mcp', '/mcp'],
      ['/mcp/a', '/mcp/a'],
    ] as const) {
      const { status, json, headers } = await get(
        `${origin}/.well-known/oauth-protected-resource${path}`,
      )
      expect([status, headers['access-control-allow-origin']]).toEqual([200, '*'])
      const preflight = await send(
        'OPTIONS',
        `${origin}/.well-known/oauth-protected-resource${path}`,
        undefined,
        {
          origin: 'https://inspector.example',
          'access-control-request-method': 'GET',
          'access-control-request-headers': 'mcp-protocol-version',
        },
      )
      expect(preflight.status).toBe(204)
      expect(preflight.headers['access-control-allow-origin']).toBe('*')
      expect(preflight.headers['access-control-allow-headers']).toBe('*')
      expect(json).toEqual({
        resource: `${origin}${resource}`,
        authorization_servers: [it.issuer.url],
        bearer_methods_supported: ['header'],
        scopes_supported: ['mcp:use'],
      })
    }
    expect((await get(`${origin}/.well-known/oauth-protected-resource/else`)).status).toBe(404)
    expect((await get(`${origin}/healthz`)).status).toBe(200)
  })

  it('names itself as it is configured, whatever the Host header says', async () => {
    await using it = await world({
      resourceMetadata: {
        resource: 'https://mcp.example.com/tools',
        authorizationServers: ['https://login.example.com'],
      },
    })
    const { origin } = new URL(it.gateway.url)
    const { headers } = await it.enter({}, `${it.gateway.url}/a`)
    expect(headers['www-authenticate']).toBe(
      'Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/tools/a"',
    )
    expect((await get(`${origin}/.well-known/oauth-protected-resource/mcp`)).json).toMatchObject({
      resource: 'https://mcp.example.com/tools',
      authorization_servers: ['https://login.example.com'],
    })
  })

  it.each<[string, (issuer: Issuer) => Promise<string> | string]>([
    ['expired', (issuer) => issuer.token({ expires: -60 })],
    ['for another audience', (issuer) => issuer.token({ audience: 'other' })],
    ['of another issuer', (issuer) => issuer.token({ issuer: 'https://other.example' })],
    [
      'not valid yet',
      (issuer) => issuer.token({ claims: { nbf: Math.floor(Date.now() / 1000) + 600 } }),
    ],
    [
      'without a signature',
      (issuer) =>
        `${base64({ alg: 'none' })}.${base64({ iss: issuer.url, sub: 'ada', aud: 'gateway', exp: 9e9 })}.`,
    ],
    [
      'signed with the public key as if it were a secret',
      (issuer) => {
        const body = `${base64({ alg: 'HS256', kid: issuer.published[0]?.kid })}.${base64({ iss: issuer.url, sub: 'ada', aud: 'gateway', exp: 9e9 })}`
        const secret = JSON.stringify(issuer.published[0])
        return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`
      },
    ],
    [
      'that brings its own key',
      (issuer) =>
        issuer.token({
          header: { kid: 'unknown', jwk: { kty: 'EC' }, jku: 'http://127.0.0.1:1/keys' },
        }),
    ],
    ['whose key is a path', (issuer) => issuer.token({ header: { kid: '../../../dev/null' } })],
    [
      'with something critical that nobody knows',
      (issuer) => issuer.token({ header: { crit: ['x'], x: 1 } }).catch(() => 'a.b.c'),
    ],
    [
      'changed by one letter',
      async (issuer) =>
        (await issuer.token()).replace(
          /\..{9}/,
          (it) => `${it.slice(0, -1)}${it.endsWith('x') ? 'y' : 'x'}`,
        ),
    ],
    ['without a subject', (issuer) => issuer.token({ subject: '' })],
    ['that is no token', () => 'a.b.c'],
    ['as long as a book', () => 'x'.repeat(8_193)],
  ])('refuses a token %s [R71][R73]', async (_, make) => {
    await using it = await world()
    const { status, json } = await it.enter(bearer(await make(it.issuer)))
    expect(status).toBe(401)
    expect(json).toMatchObject({ error: { message: 'the credentials are not valid' } })
  })

  it.each([
    [{ authorization: 'Basic dXNlcjpwdw==' }, '', 400],
    [{ authorization: `Bearer ${KEY}`, 'x-api-key': KEY }, '', 400],
    [{ authorization: `Bearer ${KEY}` }, `?access_token=${KEY}`, 400],
    [{}, `?api_key=${KEY}`, 400],
  ])('refuses credentials shown as %j%s [R75]', async (headers, query, status) => {
    await using it = await world()
    const answer = await it.enter(headers, it.gateway.url + query)
    expect(answer.status).toBe(status)
    expect(answer.headers['www-authenticate']).toMatch(/error="invalid_request"/)
  })

  it('goes on with the keys it has while the issuer is away', async () => {
    await using it = await world()
    expect((await it.enter(bearer(await it.issuer.token()))).status).toBe(200)
    const before = await it.issuer.token({ subject: 'early' })
    it.issuer.isDown = true
    expect((await it.enter(bearer(before))).status).toBe(200)
    expect(it.issuer.asked).toBe(1)
  })

  it('says that it cannot tell, where the keys of the issuer were never there', async () => {
    await using it = await world()
    it.issuer.isDown = true
    const token = bearer(await it.issuer.token())
    const { status, headers } = await it.enter(token)
    expect([status, headers['retry-after']]).toEqual([503, '5'])
    expect((await it.enter(bearer(KEY))).status).toBe(200)
    it.issuer.isDown = false
    await waitUntil(async () => (await it.enter(token)).status === 200, 'the keys')
  })
})

describe('a tool that needs scopes', () => {
  const authorization = { toolScopes: { 'a__*': ['mcp:use'], '*echo': ['echo:call', 'mcp:use'] } }
  const world2 = () => world({ mode: 'optional' }, { authorization })

  it('is called with a token that has them all, in either form of the claim [R72]', async () => {
    await using it = await world2()
    const session = (claims: JsonObject) =>
      it.issuer
        .token({ claims })
        .then((token) => openSession(it.gateway.url, undefined, {}, bearer(token)))
    for (const claims of [{ scope: 'mcp:use echo:call' }, { scp: ['echo:call', 'mcp:use', 'x'] }]) {
      expect((await (await session(claims)).call('a__echo')).json).toHaveProperty('result')
    }
    const { origin } = new URL(it.gateway.url)
    const lacking = await (await session({ scope: 'mcp:use' })).call('a__echo')
    expect(lacking.status).toBe(403)
    expect(lacking.headers['www-authenticate']).toBe(
      `Bearer error="insufficient_scope", resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp", scope="mcp:use echo:call"`,
    )
    expect(it.upstream.asked('tools/call')).toHaveLength(2)
  })

  it('has none from what only looks like a claim', async () => {
    await using it = await world2()
    const scope = { scope: 'mcp:use echo:call' }
    for (const key of ['__proto__', 'constructor', 'prototype']) {
      const claims = JSON.parse(JSON.stringify({ key: scope }).replace('key', key)) as JsonObject
      const headers = bearer(await it.issuer.token({ claims }))
      const session = await openSession(it.gateway.url, undefined, {}, headers)
      expect([key, (await session.call('a__echo')).status]).toEqual([key, 403])
    }
    expect(it.upstream.asked('tools/call')).toEqual([])
  })

  it('needs them by its bare name, at its own path, and where it is not there', async () => {
    await using it = await world(
      { mode: 'optional' },
      { authorization: { toolScopes: { 'a__*': ['mcp:use'] } } },
    )
    const headers = bearer(await it.issuer.token())
    for (const [path, names] of [
      ['', ['a__echo', 'echo', 'a__none']],
      ['/a', ['echo', 'none']],
    ] as const) {
      const session = await openSession(it.gateway.url + path, undefined, {}, headers)
      const client = new ModernClient(it.gateway.url + path)
      for (const name of names) {
        expect([path, name, (await session.call(name)).status]).toEqual([path, name, 403])
        expect([path, name, (await client.call(name, {}, { headers })).status]).toEqual([
          path,
          name,
          403,
        ])
      }
    }
    expect(it.upstream.asked('tools/call')).toEqual([])
  })

  it('needs them at its own address too where no name is left for it at that of all', async () => {
    await using upstream = await startEcho()
    await using it = await world(
      {},
      {
        targets: ['a', 'b'].map((name) => ({ name, prefix: 'same', mcp: { url: upstream.url } })),
        authorization: { toolScopes: { 'same__*': ['mcp:use'] } },
      },
    )
    const token = bearer(await it.issuer.token())
    const session = await openSession(`${it.gateway.url}/a`, undefined, {}, token)
    expect((await session.call('echo')).status).toBe(403)
  })

  it('and that a rule denies is answered as one that is not there, by any name', async () => {
    await using it = await world(
      {},
      {
        authorization: {
          toolScopes: { 'a__*': ['mcp:use'] },
          rules: [{ deny: 'mcp.tool.name == "echo" && mcp.phase == "call"' }],
        },
      },
    )
    const token = bearer(await it.issuer.token())
    for (const [path, denied, absent] of [
      ['', 'a__echo', 'a__none'],
      ['', 'echo', 'none'],
      ['/a', 'echo', 'none'],
    ] as const) {
      const session = await openSession(it.gateway.url + path, undefined, {}, token)
      const statusOf = async (name: string) => (await session.call(name)).status
      expect([path, await statusOf(denied)]).toEqual([path, await statusOf(absent)])
    }
  })

  it('of the newer era, and of nobody, is answered so too', async () => {
    await using it = await world2()
    const client = new ModernClient(it.gateway.url)
    const token = await it.issuer.token()
    expect((await client.call('a__echo', {}, { headers: bearer(token) })).status).toBe(403)
    const nobody = await client.call('a__echo')
    expect(nobody.status).toBe(401)
    expect(nobody.headers['www-authenticate']).toMatch(
      /^Bearer resource_metadata=.*scope="mcp:use echo:call"$/,
    )
    expect((await client.request('tools/list')).status).toBe(200)
    expect(it.upstream.asked('tools/call')).toEqual([])
  })
})

describe('an optional gateway', () => {
  it('has anonymous callers apart from all others, and refuses bad credentials', async () => {
    await using it = await world({ mode: 'optional' })
    const nobody = await openSession(it.gateway.url)
    expect((await nobody.call('a__echo')).status).toBe(200)
    expect((await it.enter(bearer('bad-credentials-0001'))).status).toBe(401)
    const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }
    const theirs = { 'mcp-session-id': nobody.id, ...bearer(KEY) }
    expect((await post(it.gateway.url, ping, theirs)).status).toBe(404)
  })
})

describe('the configuration of authentication', () => {
  it.each([
    ['{ mode: strict }', 'authentication.mode: nobody could get in'],
    ['{ apiKeys: [{ name: a }] }', 'authentication.apiKeys[0]: expected exactly one of'],
    ['{ apiKeys: [{ name: a, key: short }] }', 'authentication.apiKeys[0].key: expected at least'],
    [
      '{ jwt: [{ issuer: i, audiences: [], jwks: { url: "http://i/k" } }] }',
      'authentication.jwt[0].audiences: expected at least one entry',
    ],
    [
      '{ jwt: [{ issuer: i, audiences: [a], jwks: {} }] }',
      'authentication.jwt[0].jwks: expected exactly one of "url", "file" and "inline"',
    ],
    [
      '{ jwt: [{ issuer: i, audiences: [a], algorithms: [HS256], jwks: { url: "http://i/k" } }] }',
      'authentication.jwt[0].algorithms[0]: expected',
    ],
  ])('%s is refused', async (written, problem) => {
    expect((await problemsOf(`authentication: ${written}`)).join('\n')).toContain(problem)
  })

  it('lets nobody in by what is no token, be its hash known', async () => {
    const sha256 = createHash('sha256').update('two words of the test').digest('hex')
    await using it = await world({ apiKeys: [{ name: 'odd', sha256 }] })
    expect((await it.enter(bearer('two words of the test'))).status).toBe(401)
    expect((await it.enter({ 'x-api-key': 'two words of the test' })).status).toBe(401)
  })

  it('is taken over while the gateway runs', async () => {
    await using it = await world()
    const config = { mode: 'strict', apiKeys: [{ name: 'new', key: 'the-new-key-of-the-test' }] }
    expect((await it.enter(bearer(KEY))).status).toBe(200)
    it.gateway.apply(configOf({ authentication: config, targets: [] }))
    expect((await it.enter(bearer(KEY))).status).toBe(401)
    expect((await it.enter(bearer('the-new-key-of-the-test'))).status).toBe(200)
  })
})
