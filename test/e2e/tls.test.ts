/** HTTPS, certificates that are renewed, and clients that are known by theirs. */
import { copyFile, rename, writeFile } from 'node:fs/promises'
import type { RequestOptions } from 'node:https'
import { request } from 'node:https'
import { json as readJson } from 'node:stream/consumers'
import type { TLSSocket } from 'node:tls'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { Authority } from '../support/certificates.js'
import { childServer } from '../support/child-server.js'
import { problemsOf } from '../support/config.js'
import { startGateway } from '../support/gateway.js'
import { initializeRequest } from '../support/raw-client.js'
import { startTwo } from '../support/replicas.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'
import { BOTH, spawnTwo, workersOf } from '../support/workers.js'

/** A handshake that fails is seen as whatever comes first. */
const REFUSED = /alert|hang up|ECONNRESET|EPIPE|EPROTO|disconnected/

interface Answer {
  readonly status: number
  readonly json: JsonObject
  readonly server: string
  readonly headers: NodeJS.Dict<string | string[]>
}

interface AskOptions extends Pick<RequestOptions, 'ca' | 'cert' | 'key'> {
  readonly headers?: Record<string, string>
}

function ask(url: string, body: JsonObject, options: AskOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    }
    const all = {
      agent: false,
      method: 'POST',
      ...options,
      headers: { ...headers, ...options.headers },
    } as const
    const sent = request(url, all, (response) => {
      const server = (response.socket as TLSSocket).getPeerCertificate().subject.CN
      readJson(response).then(
        (it) =>
          resolve({
            status: response.statusCode ?? 0,
            json: it as JsonObject,
            server: String(server),
            headers: response.headers,
          }),
        reject,
      )
    })
    sent.once('error', reject)
    sent.end(JSON.stringify(body))
  })
}

/** What a client shows of itself. */
async function shown(authority: Authority, who: string) {
  return { cert: await authority.read(`${who}.pem`), key: await authority.read(`${who}.key`) }
}

describe('a listener with a certificate', () => {
  it('serves HTTPS, and takes over a renewed certificate without a restart; a bad one it does not', async () => {
    await using authority = await Authority.create()
    await authority.sign('server', 'first', 'IP:127.0.0.1')
    await using upstream = await startEcho()
    await using gateway = await startGateway({
      listen: { tls: { cert: authority.path('server.pem'), key: authority.path('server.key') } },
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    expect(gateway.url).toMatch(/^https:\/\/127\.0\.0\.1:/)
    const ca = await authority.read('ca.pem')
    const server = async () => (await ask(gateway.url, initializeRequest(), { ca })).server
    expect(await server()).toBe('first')
    await expect(ask(gateway.url, initializeRequest(), {})).rejects.toThrow(/certificate/)

    await writeFile(authority.path('server.pem'), 'not a certificate')
    await authority.sign('next', 'second', 'IP:127.0.0.1')
    expect(await server()).toBe('first')
    for (const kind of ['key', 'pem']) {
      await copyFile(authority.path(`next.${kind}`), authority.path(`new.${kind}`))
      await rename(authority.path(`new.${kind}`), authority.path(`server.${kind}`))
    }
    await waitUntil(async () => (await server()) === 'second', 'the new certificate')
  })

  it('is one for all workers, and each takes over a renewed certificate', async () => {
    await using authority = await Authority.create()
    await authority.sign('server', 'first', 'IP:127.0.0.1')
    await using upstream = await startEcho()
    await using gateway = await spawnTwo({
      listen: {
        port: 0,
        tls: { cert: authority.path('server.pem'), key: authority.path('server.key') },
      },
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    expect(gateway.url).toMatch(/^https:\/\/127\.0\.0\.1:/)
    const ca = await authority.read('ca.pem')
    const opened = await ask(gateway.url, initializeRequest(), { ca })
    const headers = { 'mcp-session-id': String(opened.headers['mcp-session-id']) }
    const call = (id: number) => {
      const params = { name: 'a__echo', arguments: { id } }
      const body = { jsonrpc: '2.0', id, method: 'tools/call', params }
      return ask(gateway.url, body, { ca, headers })
    }
    for (let id = 1; id <= 10; id++) {
      const { json } = await call(id)
      expect(json).toMatchObject({ result: { content: [{ text: `{"id":${id}}` }] } })
    }
    expect(await workersOf(gateway, 'request')).toEqual(BOTH)
    await authority.sign('server', 'second', 'IP:127.0.0.1')
    let inARow = 0
    await waitUntil(async () => {
      inARow = (await call(11)).server === 'second' ? inARow + 1 : 0
      return inARow === 2 * BOTH.length
    }, 'the new certificate at both')
  })

  it('that asks for client certificates knows clients by them, and nobody else', async () => {
    await using authority = await Authority.create()
    await using other = await Authority.create()
    await authority.sign('server', 'server', 'IP:127.0.0.1')
    await authority.sign('ada', 'ada', 'URI:spiffe://test/ada')
    await authority.sign('bob', 'bob', 'DNS:bob')
    await other.sign('mallory', 'ada', 'URI:spiffe://test/ada')
    await using upstream = await startEcho()
    await using gateway = await startGateway({
      listen: {
        tls: {
          cert: authority.path('server.pem'),
          key: authority.path('server.key'),
          clientCa: authority.path('ca.pem'),
        },
      },
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      authentication: { mode: 'strict' },
      authorization: {
        rules: [
          { allow: 'principal.kind == "certificate" && principal.name == "spiffe://test/ada"' },
        ],
      },
    })
    const ca = await authority.read('ca.pem')
    const ada = { ca, ...(await shown(authority, 'ada')) }
    const bob = { ca, ...(await shown(authority, 'bob')) }
    const { headers } = await ask(gateway.url, initializeRequest(), ada)
    const session = { 'mcp-session-id': String(headers['mcp-session-id']) }
    const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
    const listed = await ask(gateway.url, list, { ...ada, headers: session })
    expect(listed.json).toMatchObject({ result: { tools: [{ name: 'a__echo' }] } })
    expect((await ask(gateway.url, list, { ...bob, headers: session })).status).toBe(404)
    const bobs = await ask(gateway.url, initializeRequest(), bob)
    const his = { 'mcp-session-id': String(bobs.headers['mcp-session-id']) }
    const seen = await ask(gateway.url, list, { ...bob, headers: his })
    expect(seen.json).toMatchObject({ result: { tools: [] } })
    await expect(ask(gateway.url, initializeRequest(), { ca })).rejects.toThrow(REFUSED)
    const mallory = { ca, ...(await shown(other, 'mallory')) }
    await expect(ask(gateway.url, initializeRequest(), mallory)).rejects.toThrow(REFUSED)
  })

  it('that asks for client certificates knows whoever another replica gives it', async () => {
    await using authority = await Authority.create()
    await authority.sign('server', 'server', 'IP:127.0.0.1')
    await authority.sign('ada', 'ada', 'URI:spiffe://test/ada')
    await authority.sign('bob', 'bob', 'DNS:bob')
    const [cert, key, clientCa] = ['server.pem', 'server.key', 'ca.pem'].map((it) =>
      authority.path(it),
    )
    await using replicas = await startTwo({
      listen: { tls: { cert, key, clientCa } } as JsonObject,
      targets: [{ name: 'a', stdio: { ...childServer('good'), scope: 'session' } }],
      authentication: { mode: 'strict' },
      authorization: { rules: [{ allow: 'principal.name == "spiffe://test/ada"' }] },
    })
    const ca = await authority.read('ca.pem')
    const ada = { ca, ...(await shown(authority, 'ada')) }
    const bob = { ca, ...(await shown(authority, 'bob')) }
    const { headers } = await ask(replicas.here, initializeRequest(), ada)
    const session = { 'mcp-session-id': String(headers['mcp-session-id']) }
    const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'a__pid' } }
    const here = await ask(replicas.here, call, { ...ada, headers: session })
    expect(here.json).toMatchObject({ result: {} })
    const there = await ask(replicas.there, call, { ...ada, headers: session })
    expect(there.json).toEqual(here.json)
    expect((await ask(replicas.there, call, { ...bob, headers: session })).status).toBe(404)
  })

  it('whose files are not there or do not fit does not start', async () => {
    await using authority = await Authority.create()
    await authority.sign('one', 'one', 'IP:127.0.0.1')
    await authority.sign('two', 'two', 'IP:127.0.0.1')
    const start = (cert: string, key: string) =>
      startGateway({
        listen: { tls: { cert: authority.path(cert), key: authority.path(key) } },
        targets: [],
      })
    await expect(start('none.pem', 'one.key')).rejects.toThrow(/ENOENT/)
    await expect(start('one.pem', 'two.key')).rejects.toThrow(/key values mismatch/)
    expect(await problemsOf('authentication: { mode: strict }')).toEqual([
      '1:19 authentication.mode: nobody could get in: "jwt", "apiKeys" or "listen.tls.clientCa" is needed',
    ])
  })
})
