/** Servers behind OAuth: the gateway's own token, the caller's exchanged or passed on, and what happens when they end. */
import type { IncomingHttpHeaders } from 'node:http'
import { beforeAll, describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { AuthorizationServer, CLIENT_SECRET, clientKey } from '../support/authorization-server.js'
import { configOf, startGateway } from '../support/gateway.js'
import { Issuer } from '../support/issuer.js'
import { ModernClient } from '../support/modern-client.js'
import { startModern } from '../support/modern-upstream.js'
import type { RawSession } from '../support/raw-client.js'
import { openSession, post } from '../support/raw-client.js'
import { SseServer } from '../support/sse-server.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const SECRET = { clientId: 'gateway', clientSecret: CLIENT_SECRET }
const MODERN = {
  tools: [{ name: 'echo', inputSchema: {} }],
  handlers: { 'tools/call': () => ({ content: [] }) },
}

const callOf = async (session: RawSession, tool: string) => (await session.call(tool)).json

function errorOf(json: JsonObject): string {
  return JSON.stringify(json['error'] ?? {})
}

describe('a server that wants the gateway’s own token', () => {
  it('is shown one with every request, over every transport, had once', async () => {
    await using issuer = await AuthorizationServer.start()
    const admits = ({ authorization }: IncomingHttpHeaders) => issuer.believes(authorization)
    await using legacy = await startEcho({ admits })
    await using modern = await startModern({ ...MODERN, admits })
    await using old = await SseServer.start(() => ({ content: [] }))
    const auth = {
      clientCredentials: { ...SECRET, tokenUrl: issuer.tokenUrl, scopes: ['tools:read'] },
    }
    await using gateway = await startGateway({
      targets: [
        { name: 'a', mcp: { url: legacy.url }, auth },
        { name: 'b', mcp: { url: modern.url }, auth },
        { name: 'c', sse: { url: old.url }, auth },
      ],
    })
    const session = await openSession(gateway.url)
    for (const tool of ['a__echo', 'b__echo', 'c__tool']) {
      expect(await callOf(session, tool)).toMatchObject({ result: {} })
    }
    // One for each target, whatever it is asked for at the same time.
    expect(issuer.asked.map((it) => it.get('scope'))).toEqual(Array(3).fill('tools:read'))
    const received = [...legacy.headers, ...modern.sent.map((it) => it.headers), ...old.headers]
    expect(received.length).toBeGreaterThan(8)
    expect(received.filter((it) => !issuer.believes(it.authorization))).toEqual([])
  })

  it.each(['RS256', 'ES256', 'Ed25519'])(
    'is shown one that was had with a key (%s), at the address that the issuer names',
    async (algorithm) => {
      const { pem, jwk } = await clientKey(algorithm)
      await using issuer = await AuthorizationServer.start({}, jwk)
      const admits = ({ authorization }: IncomingHttpHeaders) => issuer.believes(authorization)
      await using server = await startEcho({ admits })
      const clientCredentials = {
        issuer: issuer.url,
        clientId: 'gateway-key',
        privateKey: pem,
        keyId: 'k1',
        resource: 'https://tools.example.com/mcp',
      }
      await using gateway = await startGateway({
        targets: [{ name: 'a', mcp: { url: server.url }, auth: { clientCredentials } }],
      })
      const session = await openSession(gateway.url)
      expect(await callOf(session, 'a__echo')).toMatchObject({ result: {} })
      expect(issuer.asked[0]?.get('resource')).toBe('https://tools.example.com/mcp')
      expect(issuer.asked[0]?.has('client_secret')).toBe(false)
    },
  )

  it('is shown a new one when it does not believe the old one any more, and the call is made', async () => {
    await using issuer = await AuthorizationServer.start()
    const admits = ({ authorization }: IncomingHttpHeaders) => issuer.believes(authorization)
    await using legacy = await startEcho({ admits })
    await using modern = await startModern({ ...MODERN, admits })
    const clientCredentials = {
      clientId: 'gateway-post',
      clientSecret: CLIENT_SECRET,
      clientAuth: 'client_secret_post',
      tokenUrl: issuer.tokenUrl,
    }
    await using gateway = await startGateway({
      targets: [
        { name: 'a', mcp: { url: legacy.url }, auth: { clientCredentials } },
        { name: 'b', mcp: { url: modern.url }, auth: { clientCredentials } },
      ],
    })
    const session = await openSession(gateway.url)
    issuer.revoke()
    const calls = ['a__echo', 'b__echo', 'a__echo', 'b__echo']
    const answers = await Promise.all(calls.map((tool) => callOf(session, tool)))
    for (const answer of answers) expect(answer).toHaveProperty('result')
    expect(legacy.asked('tools/call')).toHaveLength(2)
  })

  it('is shown a new one before the old one ends, without a call that waits for it', async () => {
    await using issuer = await AuthorizationServer.start({ life: 2 })
    await using server = await startEcho()
    const auth = { clientCredentials: { ...SECRET, tokenUrl: issuer.tokenUrl } }
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: server.url }, auth }],
    })
    const session = await openSession(gateway.url)
    await callOf(session, 'a__echo')
    let goOn: () => void = () => undefined
    issuer.hold = new Promise((resolve) => (goOn = resolve))
    const before = issuer.given.length
    // Calls go on until one finds the token old, and none of them waits for the issuer, which holds back.
    await waitUntil(async () => {
      expect(await callOf(session, 'a__echo')).toMatchObject({ result: {} })
      return issuer.waiting > 0
    }, 'the token to be asked for again')
    goOn()
    await waitUntil(() => issuer.given.length > before, 'another token')
  })

  it('answers for itself where there is none, in words without secrets or challenges', async () => {
    await using issuer = await AuthorizationServer.start()
    await using server = await startEcho({ admits: () => false })
    await using modern = await startModern({ ...MODERN, admits: () => false })
    const clientCredentials = { ...SECRET, tokenUrl: issuer.tokenUrl }
    const wrong = { ...clientCredentials, clientSecret: 'another-secret-that-is-wrong' }
    const gone = { ...clientCredentials, tokenUrl: 'http://127.0.0.1:1/token' }
    await using gateway = await startGateway({
      admin: { port: 0 },
      targets: [
        { name: 'refused', mcp: { url: server.url }, auth: { clientCredentials } },
        { name: 'modern', mcp: { url: modern.url }, auth: { bearer: 'not-the-right-one' } },
        { name: 'wrong', mcp: { url: server.url }, auth: { clientCredentials: wrong } },
        { name: 'gone', mcp: { url: server.url }, auth: { clientCredentials: gone } },
      ],
    })
    const report = await (await fetch(`${gateway.adminUrl ?? ''}/api/v1/targets`)).text()
    expect(report).toContain('does not accept the credentials that it is shown (HTTP 401)')
    expect(report).toContain(
      'no token is to be had: the authorization server does not accept the gateway (HTTP 401)',
    )
    expect(report).toContain('no token is to be had: the authorization server cannot be reached')
    expect(report).not.toMatch(/secret|upstream-challenge|not-the-right/)
  })
})

describe('a server that is called on the account of whoever calls', () => {
  let issuer: Issuer
  let authentication: JsonObject
  beforeAll(async () => {
    issuer = await Issuer.start()
    const jwt = [
      { issuer: issuer.url, audiences: ['gateway', 'shared'], jwks: { url: issuer.url } },
    ]
    const apiKeys = [{ name: 'ci', key: 'the-key-of-ci-00001' }]
    authentication = { mode: 'optional', jwt, apiKeys }
    return () => issuer[Symbol.asyncDispose]()
  })
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
  const subjectIn = ({ authorization = '' }: IncomingHttpHeaders): unknown => {
    const [, claims = ''] = authorization.split('.')
    return (JSON.parse(Buffer.from(claims, 'base64url').toString() || '{}') as JsonObject)['sub']
  }

  it('gets a token of the caller’s, exchanged once, and the gateway’s own for what is its own', async () => {
    await using server = await AuthorizationServer.start({ issuer: issuer.url })
    const admits = ({ authorization }: IncomingHttpHeaders) => server.believes(authorization)
    await using legacy = await startEcho({ admits })
    await using modern = await startModern({ ...MODERN, admits })
    const grant = { ...SECRET, tokenUrl: server.tokenUrl, audience: 'tools' }
    const auth = { clientCredentials: grant, tokenExchange: grant }
    await using gateway = await startGateway({
      authentication,
      targets: [
        { name: 'a', mcp: { url: legacy.url }, auth },
        { name: 'b', mcp: { url: modern.url }, auth },
      ],
    })
    const tokens = await Promise.all(['ada', 'bob'].map((subject) => issuer.token({ subject })))
    for (const token of tokens) {
      const session = await openSession(gateway.url, undefined, {}, bearer(token))
      const client = new ModernClient(gateway.url)
      for (const tool of ['a__echo', 'b__echo', 'a__echo', 'b__echo']) {
        expect(await callOf(session, tool)).toMatchObject({ result: {} })
        expect((await client.call(tool, {}, { headers: bearer(token) })).json).toHaveProperty(
          'result',
        )
      }
    }
    const exchanged = server.asked.filter((it) => it.get('grant_type') !== 'client_credentials')
    expect(exchanged.map((it) => it.get('audience'))).toEqual(Array(4).fill('tools'))
    // No token of a caller went to a server as it was, and each session is of one subject alone.
    const all = [...legacy.headers, ...modern.sent.map((it) => it.headers)]
    expect(all.filter((it) => tokens.some((token) => it.authorization?.includes(token)))).toEqual(
      [],
    )
    const bySession = new Map<unknown, Set<unknown>>()
    for (const headers of legacy.headers) {
      const id = headers['mcp-session-id']
      if (id === undefined) continue
      bySession.set(id, (bySession.get(id) ?? new Set()).add(subjectIn(headers)))
    }
    expect([...bySession.values()].map((it) => it.size)).toEqual([...bySession].map(() => 1))
    const subjects = new Set(modern.asked('tools/call').map((it) => subjectIn(it.headers)))
    expect(subjects).toEqual(new Set(['ada', 'bob']))
  })

  it('is not called for those who showed no token, nor where theirs is not exchanged', async () => {
    await using server = await AuthorizationServer.start({ issuer: issuer.url })
    await using legacy = await startEcho()
    const tokenExchange = { ...SECRET, tokenUrl: server.tokenUrl }
    await using gateway = await startGateway({
      authentication,
      targets: [{ name: 'a', mcp: { url: legacy.url }, auth: { tokenExchange } }],
    })
    for (const headers of [{}, { 'x-api-key': 'the-key-of-ci-00001' }]) {
      const session = await openSession(gateway.url, undefined, {}, headers)
      const error = errorOf(await callOf(session, 'a__echo'))
      expect(error).toContain('with the token of whoever calls, and none was shown')
    }
    server.refusal = 'invalid_target'
    const session = await openSession(gateway.url, undefined, {}, bearer(await issuer.token()))
    const error = errorOf(await callOf(session, 'a__echo'))
    expect(error).toContain('the authorization server says invalid_target')
    expect(error).not.toContain(CLIENT_SECRET)
    expect(legacy.asked('tools/call')).toEqual([])
  })

  it('is shown the caller’s own token only where that is meant for it too, and never another’s', async () => {
    await using legacy = await startEcho()
    await using modern = await startModern(MODERN)
    const auth = { bearer: 'own-token-of-the-gateway', passthrough: { audience: 'shared' } }
    await using gateway = await startGateway({
      authentication,
      targets: [
        { name: 'a', mcp: { url: legacy.url }, auth },
        { name: 'b', mcp: { url: modern.url }, auth },
      ],
    })
    const good = await issuer.token({ audience: ['gateway', 'shared'] })
    const narrow = await issuer.token({ audience: 'gateway' })
    const session = await openSession(gateway.url, undefined, {}, bearer(good))
    for (const tool of ['a__echo', 'b__echo']) {
      expect(await callOf(session, tool)).toMatchObject({ result: {} })
      const other = await openSession(gateway.url, undefined, {}, bearer(narrow))
      expect(errorOf(await callOf(other, tool))).toContain('not meant for it')
      const nobody = await openSession(gateway.url)
      expect(errorOf(await callOf(nobody, tool))).toContain('none was shown')
    }
    // The same session with a token that reaches less far reaches less far.
    const call = { jsonrpc: '2.0', id: 9, method: 'tools/call', params: { name: 'a__echo' } }
    const narrowed = await post(gateway.url, call, {
      ...bearer(narrow),
      'mcp-session-id': session.id,
    })
    expect(errorOf(narrowed.json)).toContain('not meant for it')
    const shown = new Set(
      [...legacy.headers, ...modern.sent.map((it) => it.headers)].map((it) => it.authorization),
    )
    expect(shown).toEqual(new Set([`Bearer ${good}`, 'Bearer own-token-of-the-gateway']))
  })

  it('is refused where the tokens that are let in are not meant for it', () => {
    const target = { name: 'a', mcp: { url: 'https://tools.example.com/mcp' } }
    const targets = [{ ...target, auth: { passthrough: true } }]
    expect(() => configOf({ authentication, targets })).toThrow(
      /no issuer .* has .*https:\/\/tools\.example\.com\/mcp.* among its/,
    )
    expect(() => configOf({ targets })).toThrow(/no issuer/)
    const [jwt] = authentication['jwt'] as JsonObject[]
    const widened = {
      ...authentication,
      jwt: [{ ...jwt, audiences: ['gateway', 'https://tools.example.com/mcp'] }],
    }
    expect(configOf({ authentication: widened, targets }).targets[0]?.auth).toEqual({
      passthrough: { audience: 'https://tools.example.com/mcp' },
    })
  })
})
