/** TLS towards servers: authorities and certificates of one's own. */
import { copyFile, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { pipeline } from 'node:stream'
import type { TLSSocket, TlsOptions } from 'node:tls'
import { createServer } from 'node:tls'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { Authority } from '../support/certificates.js'
import { problemsOf } from '../support/config.js'
import { spawnGateway, startGateway } from '../support/gateway.js'
import { openSession } from '../support/raw-client.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

interface SecureFront extends AsyncDisposable {
  readonly url: string
  /** The common names that clients' certificates showed. */
  readonly clients: readonly string[]
  cut(): void
}

/** TLS in front of a server that has none. */
async function secure(url: string, options: TlsOptions): Promise<SecureFront> {
  const clients: string[] = []
  const sockets = new Set<TLSSocket>()
  const server = createServer(options, (socket) => {
    sockets.add(socket)
    clients.push(String(socket.getPeerCertificate().subject?.CN ?? ''))
    const inner = connect(Number(new URL(url).port), '127.0.0.1')
    pipeline(socket, inner, socket, () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    clients,
    cut,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        cut()
      }),
  }
}

/** What a call of its tool comes to, or why there is none. */
async function outcome(url: string, tls?: JsonObject): Promise<string> {
  await using gateway = await startGateway({
    targets: [{ name: 'a', mcp: { url }, ...(tls && { tls }) }],
  })
  const [state] = gateway.readiness().targets
  if (state?.reason !== undefined) return state.reason
  const { json } = await (await openSession(gateway.url)).call('a__echo')
  return JSON.stringify(json['result'])
}

const WORKS = /"content"/

describe('a server with a certificate of an authority of its own', () => {
  it('is believed where that authority is named, for its own name alone', async () => {
    await using authority = await Authority.create()
    await using other = await Authority.create()
    await authority.sign('server', 'server', 'DNS:files.internal')
    await using upstream = await startEcho()
    const cert = await authority.read('server.pem')
    const key = await authority.read('server.key')
    await using front = await secure(upstream.url, { cert, key })
    const ca = authority.path('ca.pem')

    expect(await outcome(front.url, { ca, serverName: 'files.internal' })).toMatch(WORKS)
    expect(await outcome(front.url)).toMatch(/UNABLE_TO_VERIFY/)
    expect(await outcome(front.url, { ca })).toMatch(/ALTNAME/)
    expect(await outcome(front.url, { ca, serverName: 'other.internal' })).toMatch(/ALTNAME/)
    const wrong = { ca: other.path('ca.pem'), serverName: 'files.internal' }
    expect(await outcome(front.url, wrong)).toMatch(/UNABLE_TO_VERIFY/)
    expect(await outcome(front.url, { ca: authority.path('none.pem') })).toMatch(/ENOENT/)
    await writeFile(authority.path('bad.pem'), 'nothing')
    const bad = authority.path('bad.pem')
    expect(await outcome(front.url, { ca, cert: bad, key: bad })).toMatch(/ERR_OSSL/)
    expect(await outcome(front.url, { insecureSkipVerify: true })).toMatch(WORKS)
  })

  it('is shown a certificate, and a renewed one by the next connection', async () => {
    await using authority = await Authority.create()
    for (const name of ['server', 'first', 'second']) {
      await authority.sign(name, name, 'IP:127.0.0.1')
    }
    const ca = authority.path('ca.pem')
    await using upstream = await startEcho()
    await using front = await secure(upstream.url, {
      cert: await authority.read('server.pem'),
      key: await authority.read('server.key'),
      ca: await authority.read('ca.pem'),
      requestCert: true,
    })
    expect(await outcome(front.url, { ca })).not.toMatch(WORKS)
    expect(front.clients).toEqual([])
    const shown = { ca, cert: authority.path('first.pem'), key: authority.path('first.key') }
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: front.url }, tls: shown }],
    })
    const session = await openSession(gateway.url)
    expect((await session.call('a__echo')).json).toHaveProperty('result')
    expect(new Set(front.clients)).toEqual(new Set(['first']))

    for (const kind of ['pem', 'key']) {
      await copyFile(authority.path(`second.${kind}`), authority.path(`first.${kind}`))
    }
    front.cut()
    await waitUntil(() => front.clients.includes('second'), 'the renewed certificate')
  })

  it('may be believed whatever it shows, which is logged', async () => {
    await using authority = await Authority.create()
    await authority.sign('server', 'server', 'IP:10.0.0.1')
    await using upstream = await startEcho()
    await using front = await secure(upstream.url, {
      cert: await authority.read('server.pem'),
      key: await authority.read('server.key'),
    })
    await using gateway = await spawnGateway({
      targets: [{ name: 'a', mcp: { url: front.url }, tls: { insecureSkipVerify: true } }],
    })
    expect((await (await openSession(gateway.url)).call('a__echo')).json).toHaveProperty('result')
    expect(gateway.log).toContainEqual(
      expect.objectContaining({
        target: 'a',
        msg: 'any certificate is believed (tls.insecureSkipVerify)',
      }),
    )
  })
})

it.each([
  [
    'mcp: { url: http://h/mcp }, tls: { ca: a.pem }',
    'only a server at an https:// address has TLS',
  ],
  ['stdio: { command: x }, tls: { ca: a.pem }', 'only a server at an https:// address has TLS'],
  ['mcp: { url: https://h/mcp }, tls: { cert: a.pem }', '"cert" and "key" belong together'],
])('%s is refused', async (target, message) => {
  const problems = await problemsOf(`targets: [{ name: a, ${target} }]`)
  expect(problems).toEqual([expect.stringContaining(message)])
})
