/** How the page's playground reaches the main endpoint, and what it cannot do so. */
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { Authority } from '../support/certificates.js'
import { observed } from '../support/observed-gateway.js'
import { initializeRequest } from '../support/raw-client.js'
import { startEcho } from '../support/upstream-server.js'

const ACCEPT = 'application/json, text/event-stream'

describe('the playground', () => {
  it('passes requests on to the main endpoint, as whoever the operator says', async () => {
    await using upstream = await startEcho()
    await using it = await observed({
      authentication: {
        mode: 'optional',
        apiKeys: [{ name: 'ci', key: 'the-key-of-the-operator' }],
      },
      authorization: { rules: [{ allow: 'principal.name == "ci"' }] },
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const play = (message: JsonObject, headers: JsonObject = {}, server = '') => {
      const given = { 'content-type': 'application/json', accept: ACCEPT, ...headers }
      const body = JSON.stringify(message)
      return it.act('playground', { server, method: 'POST', headers: given, body })
    }
    const toolsOf = async (credential: JsonObject) => {
      const opened = await play(initializeRequest(), credential)
      expect(opened.headers['x-junction-status']).toBe('200')
      const session = String(opened.headers['mcp-session-id'])
      const list = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }
      const answer = await play(list, { ...credential, 'mcp-session-id': session })
      const { tools } = answer.json['result'] as { tools: { name: string }[] }
      return tools.map((tool) => tool.name)
    }
    expect(await toolsOf({})).toEqual([])
    expect(await toolsOf({ 'x-api-key': 'the-key-of-the-operator' })).toEqual(['a__echo'])
    const wrong = await play(initializeRequest(), { authorization: 'Bearer wrong' })
    expect([wrong.status, wrong.headers['x-junction-status']]).toEqual([200, '401'])
    const single = await play(initializeRequest(), {}, 'a')
    expect(single.headers['x-junction-status']).toBe('200')
    const none = await play(initializeRequest(), {}, 'none')
    expect(none.headers['x-junction-status']).toBe('404')
  })

  it('is no way around filters of addresses, nor around certificates', async () => {
    const body = { server: '', method: 'POST', headers: {}, body: '{}' }
    const listen = { ipFilter: { deny: ['127.0.0.0/8'] } }
    await using filtered = await observed({ listen, targets: [] })
    expect((await filtered.act('playground', body)).headers['x-junction-status']).toBe('403')

    await using authority = await Authority.create()
    await authority.sign('gateway', 'localhost', 'DNS:localhost')
    const tls = {
      cert: authority.path('gateway.pem'),
      key: authority.path('gateway.key'),
      clientCa: authority.path('ca.pem'),
    }
    await using mutual = await observed({ listen: { tls }, targets: [] })
    const refused = await mutual.act('playground', body)
    expect([refused.status, refused.text]).toEqual([403, expect.stringContaining('admin.token')])
  })

  it('passes nothing on that is not a request of MCP', async () => {
    await using it = await observed({ targets: [] })
    const good = { server: '', method: 'POST', headers: {}, body: '{}' }
    const odd = [
      { ...good, server: '../admin' },
      { ...good, method: 'PUT' },
      { ...good, headers: { cookie: 'x' } },
      { ...good, headers: { host: 'x' } },
      { ...good, headers: { accept: 'a\r\nhost: b' } },
      { ...good, more: 1 },
      { ...good, body: {} },
    ]
    for (const body of odd) expect((await it.act('playground', body)).status).toBe(400)
    const big = { ...good, body: 'x'.repeat(9_000_000) }
    expect((await it.act('playground', big)).status).toBe(413)
  })
})
