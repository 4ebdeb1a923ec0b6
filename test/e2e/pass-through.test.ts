/** What is at a server's own path and not MCP, where its target takes it; and how large requests may be. */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { configOf, startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import { openSession, post, send } from '../support/raw-client.js'
import { startEchoes, startUpstream } from '../support/upstream-server.js'

interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A web server, and an MCP server behind it at /mcp. */
async function startSite() {
  const mcp = await startUpstream({ tools: [{ name: 'echo', inputSchema: { type: 'object' } }] })
  const seen: Seen[] = []
  const site = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('latin1')
      const { method = '', url = '', headers } = request
      const isMcp = url === '/mcp' && method === 'POST' && /"method"/.test(body)
      if (isMcp || headers['mcp-session-id'] !== undefined) {
        void relay(mcp.url, { method, url, headers, body }, response)
        return
      }
      seen.push({ method, url, headers, body })
      if (url.startsWith('/secret')) return void response.writeHead(401, CHALLENGE).end('who')
      if (url.startsWith('/break')) return void request.socket.destroy()
      response.writeHead(url.startsWith('/tea') ? 418 : 200, {
        'content-type': 'text/html',
        'set-cookie': 'session=theirs',
        etag: '"1"',
        'x-internal': 'address',
      })
      response.end(`<script>${method} ${url}</script>`)
    })
  })
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(site.address() as AddressInfo).port}/mcp`,
    seen,
    [Symbol.asyncDispose]: async () => {
      site.closeAllConnections()
      await new Promise((resolve) => site.close(resolve))
      await mcp[Symbol.asyncDispose]()
    },
  }
}

const CHALLENGE = { 'www-authenticate': 'Bearer realm="theirs"' }

async function relay(
  url: string,
  { method, headers, body }: Seen,
  response: ServerResponse,
): Promise<void> {
  const answer = await fetch(url, {
    method,
    headers: Object.entries(headers).flatMap(([key, value]) =>
      /^(host|connection|content-length|transfer-encoding)$/.test(key)
        ? []
        : [[key, String(value)] as [string, string]],
    ),
    ...(method === 'POST' ? { body } : {}),
  })
  response.writeHead(answer.status, Object.fromEntries(answer.headers))
  for await (const chunk of answer.body ?? []) response.write(chunk)
  response.end()
}

describe('a target with traffic: passThrough', () => {
  it('takes what is not MCP at its path and below, and answers MCP as ever', async () => {
    await using site = await startSite()
    await using gateway = await startGateway({
      targets: [
        {
          name: 'site',
          mcp: { url: site.url },
          traffic: 'passThrough',
          auth: { bearer: 'the-gateways-own' },
          headers: { forward: ['x-request-id'] },
        },
      ],
    })
    const at = `${gateway.url}/site`
    const theirs = {
      'content-type': undefined,
      accept: 'text/html',
      authorization: 'Bearer of-the-client',
      cookie: 'a=b',
      'x-request-id': 'r1',
      'x-forwarded-for': '1.2.3.4',
    }
    const page = await send('GET', `${at}/favicon.ico?v=1`, undefined, theirs)
    expect([page.status, page.text]).toEqual([200, '<script>GET /favicon.ico?v=1</script>'])
    expect(page.headers).toMatchObject({
      'content-type': 'text/html',
      etag: '"1"',
      'content-security-policy': 'sandbox',
      'x-content-type-options': 'nosniff',
    })
    expect(page.headers).not.toHaveProperty('set-cookie')
    expect(page.headers).not.toHaveProperty('x-internal')
    expect(site.seen[0]?.headers).toMatchObject({
      authorization: 'Bearer the-gateways-own',
      accept: 'text/html',
      'x-request-id': 'r1',
    })
    expect(JSON.stringify(site.seen)).not.toMatch(/of-the-client|a=b|1\.2\.3\.4/)

    const bytes = 'form=1&bytes=\u00ff'
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    expect((await send('POST', `${at}/tea/pot`, bytes, form)).status).toBe(418)
    expect((await send('PUT', at, '{"not":"rpc"}')).status).toBe(200)
    expect((await send('POST', at, '{"not":"rpc"}')).status).toBe(200)
    expect((await send('GET', at, undefined, { accept: '*/*' })).status).toBe(200)
    expect(site.seen.slice(1).map((it) => [it.method, it.url])).toEqual([
      ['POST', '/tea/pot'],
      ['PUT', '/mcp'],
      ['POST', '/mcp'],
      ['GET', '/mcp'],
    ])
    expect(Buffer.from(site.seen[1]?.body ?? '', 'latin1').toString()).toBe(bytes)

    const session = await openSession(at)
    expect((await session.request('tools/list')).json).toHaveProperty('result.tools.length', 1)
    const before = site.seen.length
    expect((await post(at, { jsonrpc: '2.0', id: 1, method: 'x/y' })).status).toBe(400)
    expect(site.seen).toHaveLength(before)
  })

  it('keeps to itself what servers say of credentials, and what breaks', async () => {
    await using site = await startSite()
    await using gateway = await startGateway({
      targets: [{ name: 'site', mcp: { url: site.url }, traffic: 'passThrough' }],
    })
    const refused = await send('GET', `${gateway.url}/site/secret`, undefined)
    expect(refused.status).toBe(502)
    expect(refused.headers).not.toHaveProperty('www-authenticate')
    expect(refused.text).toContain('does not accept the credentials')
    const broken = await send('GET', `${gateway.url}/site/break`, undefined)
    expect([broken.status, broken.text.includes('closed the connection')]).toEqual([502, true])
  })

  it('is a resource to rules, by its path', async () => {
    await using site = await startSite()
    await using gateway = await startGateway({
      targets: [{ name: 'site', mcp: { url: site.url }, traffic: 'passThrough' }],
      authorization: {
        rules: [
          { deny: 'mcp.method == "http" && !mcp.resource.name.startsWith("/public/")' },
          { deny: 'mcp.resource.name.contains("private")' },
        ],
      },
    })
    const statusOf = async (path: string) =>
      (await send('GET', `${gateway.url}/site${path}`, undefined, { accept: '*/*' })).status
    expect(await statusOf('/public/a')).toBe(200)
    expect(await statusOf('/public/private')).toBe(404)
    expect(await statusOf('/admin')).toBe(404)
    expect(await statusOf('')).toBe(404)
    for (const path of ['/public/..%2fadmin', '/public/..%5cadmin', '/public/a%00']) {
      expect(await statusOf(path)).toBe(400)
    }
    expect(site.seen.map((it) => it.url)).toEqual(['/public/a'])
  })

  it('takes no MCP by the way, whatever it is sent as: tools have rules of their own', async () => {
    await using site = await startSite()
    await using gateway = await startGateway({
      targets: [{ name: 'site', mcp: { url: site.url }, traffic: 'passThrough' }],
      authorization: { rules: [{ deny: 'mcp.tool.name == "echo"' }] },
    })
    const call = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'echo' },
    })
    const at = `${gateway.url}/site`
    const bare = JSON.stringify({ method: 'tools/call', params: { name: 'echo' } })
    const cases: [path: string, body: string, type: string][] = [
      ['/mcp', call, 'application/json'],
      ['/MCP/', call, 'application/json'],
      ['/%6dcp', call, 'text/plain'],
      ['', call, 'text/plain'],
      ['', bare, 'application/json'],
      ['/mcp', `[${call}]`, 'application/json'],
      ['/mcp', `\ufeff${call}`, 'application/json'],
      ['/mcp', call, 'application/json; charset=utf-16le'],
    ]
    for (const [path, body, type] of cases) {
      const { status } = await send('POST', at + path, body, { 'content-type': type })
      expect([path, body, type, status]).toEqual([path, body, type, 415])
    }
    const encoded = { 'content-type': 'text/plain', 'content-encoding': 'gzip' }
    expect((await send('POST', `${at}/mcp`, 'x', encoded)).status).toBe(415)
    expect(site.seen).toEqual([])
  })

  it('is the exception: others take nothing, and neither does the path of all', async () => {
    await using site = await startSite()
    await using gateway = await startGateway({
      targets: [{ name: 'site', mcp: { url: site.url } }],
    })
    for (const path of ['/site/a', '/site/a/b', '/nobody/a', '/', '//a']) {
      expect([path, (await send('GET', gateway.url + path, undefined)).status]).toEqual([path, 404])
    }
    expect((await send('PUT', `${gateway.url}/site`, 'x')).status).toBe(405)
    expect(site.seen).toEqual([])
  })

  it('needs a server over HTTP', () => {
    const targets = [{ name: 'a', stdio: { command: 'x' }, traffic: 'passThrough' }]
    expect(() => configOf({ targets })).toThrow('only a server over HTTP')
  })
})

describe('the size of a request', () => {
  it('is limited for all, and otherwise for those to some servers', async () => {
    await using upstreams = await startEchoes(3)
    const [a, b, c] = upstreams.servers
    await using gateway = await startGateway({
      listen: { maxBodyBytes: 10_000 },
      targets: [
        { name: 'a', mcp: { url: a?.url ?? '' } },
        { name: 'b', mcp: { url: b?.url ?? '' }, maxBodyBytes: 2_000 },
        { name: 'c', mcp: { url: c?.url ?? '' }, maxBodyBytes: 50_000 },
      ],
    })
    const session = await openSession(gateway.url)
    const client = new ModernClient(gateway.url)
    const cases: [string, number, number][] = [
      ['a__echo', 9_000, 200],
      ['a__echo', 11_000, 413],
      ['b__echo', 1_000, 200],
      ['b__echo', 3_000, 413],
      ['c__echo', 40_000, 200],
      ['c__echo', 60_000, 413],
      ['nobody__echo', 11_000, 413],
    ]
    for (const [name, size, status] of cases) {
      const given: JsonObject = { text: 'x'.repeat(size) }
      expect([name, size, (await session.call(name, given)).status]).toEqual([name, size, status])
      expect([name, size, (await client.call(name, given)).status]).toEqual([name, size, status])
    }
    const alone = await openSession(`${gateway.url}/b`)
    expect((await alone.call('echo', { text: 'x'.repeat(3_000) })).status).toBe(413)
    const answers = [a, b, c].map((it) => it?.asked('tools/call').length)
    expect(answers).toEqual([2, 2, 2])
  })

  it('of what is passed on is limited as it is read', async () => {
    await using site = await startSite()
    await using gateway = await startGateway({
      targets: [
        { name: 'site', mcp: { url: site.url }, traffic: 'passThrough', maxBodyBytes: 2_000 },
      ],
    })
    const form = { 'content-type': 'text/plain' }
    const chunked = { ...form, 'transfer-encoding': 'chunked' }
    const url = `${gateway.url}/site/upload`
    expect((await send('POST', url, 'x'.repeat(1_999), chunked)).status).toBe(200)
    expect((await send('POST', url, 'x'.repeat(3_000), form)).status).toBe(413)
    expect((await send('POST', url, 'x'.repeat(3_000), chunked)).status).toBe(413)
    expect(site.seen.map((it) => it.body.length)).toEqual([1_999])
  })
})
