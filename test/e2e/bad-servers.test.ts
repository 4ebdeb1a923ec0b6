import type { ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { startGateway } from '../support/gateway.js'
import { openSession } from '../support/raw-client.js'
import { answerJson, startHostile, startRawHttp } from '../support/raw-http-server.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

type Misbehaviour = (message: JsonObject, response: ServerResponse) => void

const send =
  (status: number, type: string | undefined, body: string): Misbehaviour =>
  (_, response) => {
    response.writeHead(status, type === undefined ? {} : { 'content-type': type })
    response.end(body)
  }
const json = (body: string) => send(200, 'application/json', body)
const sse = (body: string) => send(200, 'text/event-stream', body)

const MISBEHAVIOURS: Readonly<Record<string, readonly [Misbehaviour, reason: string]>> = {
  'a page of HTML': [send(200, 'text/html', '<html>Sign in</html>'), 'protocol'],
  'half a JSON': [json('{"jsonrpc":"2.0","id":'), 'protocol'],
  garbage: [json('\u0000\u0001\u0002'), 'protocol'],
  nothing: [json(''), 'protocol'],
  'a wrong id': [json('{"jsonrpc":"2.0","id":"not-yours","result":{}}'), 'protocol'],
  'a result that is no object': [json('{"jsonrpc":"2.0","id":2,"result":7}'), 'protocol'],
  'a request instead of an answer': [json('{"jsonrpc":"2.0","id":2,"method":"ping"}'), 'protocol'],
  '202 to a request': [send(202, undefined, ''), 'protocol'],
  'HTTP 500': [send(500, 'text/plain', 'Traceback: secret'), 'protocol'],
  'HTTP 401 with a challenge': [send(401, 'text/plain', ''), 'credentials'],
  'a redirect': [
    (_, response) => void response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(),
    'protocol',
  ],
  'a compressed body': [
    (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'br' })
      response.end('xxxx')
    },
    'protocol',
  ],
  'a stream without an answer': [sse(': hello\n\n'), 'protocol'],
  'a stream of garbage': [sse('data: {"half\n\n'), 'protocol'],
  'a stream cut in an event': [sse('data: {"jsonrpc":"2.0","id":2,'), 'protocol'],
  'a reset in mid-answer': [
    (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 })
      response.write('{"jsonrpc"', () => response.socket?.resetAndDestroy())
    },
    'unreachable',
  ],
  'a reset without a word': [
    (_, response) => void response.socket?.resetAndDestroy(),
    'unreachable',
  ],
  'an endless line': [
    (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(1 << 20)));
        if (!response.destroyed) response.once('drain', more)
      }
      more()
    },
    'protocol',
  ],
  'an endless body': [
    (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      const more = (): void => {
        while (!response.destroyed && response.write(' '.repeat(1 << 20)));
        if (!response.destroyed) response.once('drain', more)
      }
      more()
    },
    'protocol',
  ],
  silence: [() => undefined, 'timeout'],
}

describe('a server that answers a call with', () => {
  it.each(Object.keys(MISBEHAVIOURS))('%s costs that call and nothing else', async (name) => {
    const [misbehave, reason] = MISBEHAVIOURS[name] ?? [() => undefined, '']
    await using bad = await startHostile(misbehave)
    await using good = await startEcho()
    await using gateway = await startGateway({
      targets: [
        {
          name: 'bad',
          mcp: { url: bad.url },
          timeouts: { call: reason === 'timeout' ? '200ms' : '20s' },
        },
        { name: 'good', mcp: { url: good.url } },
      ],
    })
    const session = await openSession(gateway.url)
    const [broken, fine] = await Promise.all([session.call('bad__bad'), session.call('good__echo')])
    expect(broken.status).toBe(200)
    expect(broken.json).toMatchObject({
      error: { code: -32603, data: { target: 'bad', reason } },
    })
    const { message } = broken.json['error'] as { message: string }
    expect(message).not.toMatch(/secret|127\.0\.0\.1|Sign in/)
    expect(fine.json).toMatchObject({ result: { content: [{ type: 'text' }] } })
    expect((await session.call('good__echo')).json).toMatchObject({ result: {} })
  })

  it('HTTP 400 and no id of ours gets a new session once, and then an error', async () => {
    await using bad = await startHostile(
      send(
        400,
        'application/json',
        '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"?"}}',
      ),
    )
    await using gateway = await startGateway({ targets: [{ name: 'bad', mcp: { url: bad.url } }] })
    const session = await openSession(gateway.url)
    const { json: answer } = await session.call('bad__bad')
    expect(answer).toMatchObject({ error: { code: -32603, data: { reason: 'session-lost' } } })
  })

  it('a stream that it leaves open is answered at once, and let go of a little later', async () => {
    let closed = false
    await using bad = await startHostile(({ id }, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(`data: {"jsonrpc":"2.0","id":${String(id)},"result":{}}\n\n`)
      response.on('close', () => (closed = true))
    })
    await using gateway = await startGateway({ targets: [{ name: 'bad', mcp: { url: bad.url } }] })
    const session = await openSession(gateway.url)
    expect((await session.call('bad__bad')).json).toMatchObject({ result: {} })
    await waitUntil(() => closed, 'the stream to be closed')
  })

  it('JSON in an answer of status 4xx and the right id passes it on', async () => {
    await using bad = await startHostile(({ id }, response) => {
      response.writeHead(400, { 'content-type': 'application/json' })
      response.end(
        JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32602, message: 'bad input' } }),
      )
    })
    await using gateway = await startGateway({ targets: [{ name: 'bad', mcp: { url: bad.url } }] })
    const session = await openSession(gateway.url)
    const { json: answer } = await session.call('bad__bad')
    expect(answer).toMatchObject({ error: { code: -32602, message: 'bad input' } })
  })
})

describe('a server that cannot be used from the start', () => {
  const refused = 'http://127.0.0.1:1/mcp'

  it('leaves the others served, is named in their lists with the reason, and costs no time [R88]', async () => {
    await using good = await startEcho({ prompts: [{ name: 'p' }] })
    // Takes connections and says nothing, ever.
    const mute = createServer(() => undefined)
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
    const { port } = mute.address() as AddressInfo
    await using html = await startRawHttp((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' })
      response.end('<html>')
    })
    await using gateway = await startGateway({
      targets: [
        { name: 'refused', mcp: { url: refused } },
        { name: 'mute', mcp: { url: `http://127.0.0.1:${port}/mcp` }, timeouts: { open: '300ms' } },
        { name: 'html', mcp: { url: html.url } },
        { name: 'good', mcp: { url: good.url } },
      ],
    })
    const session = await openSession(gateway.url)
    const started = performance.now()
    const { json: answer } = await session.request('tools/list')
    expect(performance.now() - started).toBeLessThan(1_000)
    const { tools, _meta } = answer['result'] as { tools: JsonObject[]; _meta: JsonObject }
    expect(tools.map((it) => it['name'])).toEqual(['good__echo'])
    expect(_meta['mcp-junction.dev/unavailable']).toEqual([
      {
        target: 'refused',
        reason: 'the connection was refused',
        since: expect.any(String) as string,
      },
      {
        target: 'mute',
        reason: expect.stringContaining('300 ms') as string,
        since: expect.any(String) as string,
      },
      {
        target: 'html',
        reason: expect.stringContaining('not MCP') as string,
        since: expect.any(String) as string,
      },
    ])
    expect(gateway.readiness()).toMatchObject({ ready: true })
    mute.close()
  })

  it('makes an error of a list, not an empty list, where it is the only one [R88]', async () => {
    await using gateway = await startGateway({ targets: [{ name: 'x', mcp: { url: refused } }] })
    const session = await openSession(gateway.url)
    const { json: answer } = await session.request('tools/list')
    expect(answer).toMatchObject({
      error: { code: -32603, data: { unavailable: [{ target: 'x' }] } },
    })
  })

  it('fails every list where the failure mode is closed', async () => {
    await using good = await startEcho()
    await using gateway = await startGateway({
      targets: [
        { name: 'x', mcp: { url: refused } },
        { name: 'good', mcp: { url: good.url } },
      ],
      federation: { failureMode: 'closed' },
    })
    const session = await openSession(gateway.url)
    expect((await session.request('tools/list')).json).toMatchObject({ error: { code: -32603 } })
    expect((await session.call('good__echo')).json).toMatchObject({ result: {} })
  })

  it('is spoken to in the version it has, back to 2024-11-05, and refused in one nobody knows', async () => {
    const speaking = (protocolVersion: string) =>
      startRawHttp((message, response) => {
        if (message['method'] === 'initialize') {
          return answerJson(response, message, {
            protocolVersion,
            capabilities: { tools: {} },
            serverInfo: {},
          })
        }
        if (message['method'] !== 'tools/list') return void response.writeHead(202).end()
        answerJson(response, message, { tools: [{ name: 't' }] })
      })
    await using old = await speaking('2024-11-05')
    await using odd = await speaking('2077-01-01')
    await using gateway = await startGateway({
      targets: [
        { name: 'old', mcp: { url: old.url } },
        { name: 'odd', mcp: { url: odd.url } },
      ],
    })
    const session = await openSession(gateway.url)
    expect((await session.request('tools/list')).json).toMatchObject({
      result: { tools: [{ name: 'old__t' }] },
    })
    expect(gateway.readiness().targets[1]?.reason).toContain('protocol version')
  })
})
