import type { ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { JsonObject, JsonValue } from '../../backends/index.js'
import { spawnGateway, startGateway } from '../support/gateway.js'
import { openSession } from '../support/raw-client.js'
import { answerJson, startHostile } from '../support/raw-http-server.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil, waitUntilStill } from '../support/wait-until.js'

const event = (message: JsonObject): string =>
  `data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`
const answer = (id: JsonValue | undefined, text = 'fine'): string =>
  event({ id: id ?? null, result: { content: [{ type: 'text', text }] } })
const progress = (value: number, { params }: JsonObject): string =>
  event({
    method: 'notifications/progress',
    params: {
      progress: value,
      progressToken: ((params as JsonObject)['_meta'] as JsonObject)['progressToken'] ?? null,
    },
  })
const asks = (id: JsonValue, method = 'elicitation/create'): string =>
  event({ id, method, params: { message: '?', requestedSchema: {} } })

/** What a server writes to the stream of a call; after it the client must have got `fine`, and nothing odd. */
const STREAMS: Readonly<Record<string, (call: JsonObject) => Buffer | string>> = {
  'two answers to one request': ({ id }) => answer(id) + answer(id, 'twice'),
  'answers to requests that nobody made': ({ id }) =>
    answer('nobody') + answer(-1) + answer(99_999) + answer(id),
  'progress after the answer': (call) => progress(1, call) + answer(call['id']) + progress(2, call),
  'progress of nobody': ({ id }) =>
    event({ method: 'notifications/progress', params: { progress: 1, progressToken: 'x' } }) +
    event({ method: 'notifications/progress', params: {} }) +
    answer(id),
  'all kinds of line ends and a byte order mark': ({ id }) =>
    `\ufeff: hello\r\rdata: {"jsonrpc":"2.0",\r\ndata: "id":${String(id)},\rdata: "result":{"content":[{"type":"text","text":"fine"}]}}\r\n\r\n`,
  'fields that nobody knows': ({ id }) => `foo: bar\nevent: message\nid\nretry: x\n${answer(id)}`,
  'events of other kinds': ({ id }) => `event: ping\ndata: {}\n\n${answer(id)}`,
  'notifications that nobody knows': ({ id }) =>
    event({ method: 'notifications/unheard-of', params: { a: 1 } }) + answer(id),
  'requests that nobody knows': ({ id }) => asks('x', 'gateway/shutdown') + answer(id),
  'a request that it withdraws before anybody made it': ({ id }) =>
    event({ method: 'notifications/cancelled', params: { requestId: 'never' } }) + answer(id),
  'two requests of one id': ({ id }) => asks(1) + asks(1) + answer(id),
  'five thousand requests': ({ id }) =>
    Array.from({ length: 5_000 }, (_, index) => asks(index)).join('') + answer(id),
  'five thousand pings': ({ id }) =>
    Array.from({ length: 5_000 }, (_, index) => asks(index, 'ping')).join('') + answer(id),
  'twenty thousand log messages': ({ id }) =>
    event({ method: 'notifications/message', params: { level: 'info', data: 'x' } }).repeat(
      20_000,
    ) + answer(id),
}

const stream = (response: ServerResponse): void =>
  void response.writeHead(200, { 'content-type': 'text/event-stream' })

describe('a server that sends', () => {
  it.each(Object.keys(STREAMS))('%s is passed over, answered and outlived', async (name) => {
    await using bad = await startHostile((call, response) => {
      stream(response)
      response.end(STREAMS[name]?.(call))
    })
    await using good = await startEcho()
    await using gateway = await startGateway({
      targets: [
        { name: 'bad', mcp: { url: bad.url } },
        { name: 'good', mcp: { url: good.url } },
      ],
    })
    const session = await openSession(gateway.url, undefined, { elicitation: {} })
    const [odd, fine] = await Promise.all([
      session.request('tools/call', { name: 'bad__bad', _meta: { progressToken: 'p' } }),
      session.call('good__echo'),
    ])
    expect(odd.json).toMatchObject({ result: { content: [{ text: 'fine' }] } })
    expect(fine.json).toMatchObject({ result: {} })
    // Exactly one answer, and it is the last thing said.
    const answers = odd.messages.filter((it) => it['method'] === undefined)
    expect(answers.length).toBeLessThanOrEqual(1)
    const asked = odd.messages.filter((it) => it['id'] !== undefined && it['method'] !== undefined)
    expect(asked.length).toBeLessThanOrEqual(32)
    expect((await session.call('good__echo')).json).toMatchObject({ result: {} })
  })

  it('its bytes one by one, also within a character, is understood', async () => {
    await using bad = await startHostile(({ id }, response) => {
      stream(response)
      response.socket?.setNoDelay(true)
      const bytes = [...Buffer.from(answer(id, 'f\u00efne \u{1f600}'))]
      const next = (): void => {
        const byte = bytes.shift()
        if (byte === undefined) response.end()
        else response.write(Buffer.of(byte), () => setImmediate(next))
      }
      next()
    })
    await using gateway = await startGateway({ targets: [{ name: 'a', mcp: { url: bad.url } }] })
    const session = await openSession(gateway.url)
    expect((await session.call('a__bad')).json).toMatchObject({
      result: { content: [{ text: 'f\u00efne \u{1f600}' }] },
    })
  })

  it('faster than a client reads is slowed down, and nothing of it is lost or kept in memory', async () => {
    const COUNT = 30_000
    const message = event({
      method: 'notifications/message',
      params: { level: 'info', data: 'x'.repeat(1_000) },
    })
    let written = 0
    let isStuck = false
    await using bad = await startHostile(({ id }, response) => {
      stream(response)
      const more = (): void => {
        while (written < COUNT) {
          written++
          if (response.write(message)) continue
          isStuck = response.writableNeedDrain
          return void response.once('drain', more)
        }
        response.end(answer(id))
      }
      more()
    })
    await using gateway = await startGateway({ targets: [{ name: 'a', mcp: { url: bad.url } }] })
    const session = await openSession(gateway.url)
    const running = await session.begin('tools/call', { name: 'a__bad' })
    await running.next('notifications/message')
    running.pause()
    // The sockets between hold some; once those are full the server can write no more.
    await waitUntilStill(() => written)
    expect(isStuck).toBe(true)
    expect(written).toBeLessThan(COUNT)
    running.resume()
    await running.ended
    expect(running.messages).toHaveLength(COUNT + 1)
    expect(running.messages.at(-1)).toMatchObject({ result: { content: [{ text: 'fine' }] } })
  })

  it('an answer after the call was cancelled says it to nobody', async () => {
    let finish: () => void = () => undefined
    await using bad = await startHostile((call, response) => {
      stream(response)
      response.write(progress(1, call))
      finish = () => void response.end(answer(call['id']))
    })
    await using gateway = await startGateway({ targets: [{ name: 'a', mcp: { url: bad.url } }] })
    const session = await openSession(gateway.url)
    const running = await session.begin('tools/call', {
      name: 'a__bad',
      _meta: { progressToken: 'p' },
    })
    await running.next('notifications/progress')
    await session.notify('notifications/cancelled', { requestId: 1 })
    await running.ended
    finish()
    expect((await session.request('ping')).json).toMatchObject({ result: {} })
    expect(running.messages).toHaveLength(1)
  })

  it('more headers than anybody needs costs that call', async () => {
    await using bad = await startHostile((call, response) => {
      for (let index = 0; index < 500; index++) response.setHeader(`x-${index}`, 'y'.repeat(100))
      answerJson(response, call, {})
    })
    await using gateway = await startGateway({ targets: [{ name: 'a', mcp: { url: bad.url } }] })
    const session = await openSession(gateway.url)
    expect((await session.call('a__bad')).json).toMatchObject({
      error: { code: -32603, data: { reason: 'unreachable' } },
    })
  })

  it.each([
    ['spaces', 'a b'],
    ['other letters', 'caf\u00e9'],
    ['control characters', 'a\tb'],
    ['no end', 'x'.repeat(10_000)],
  ])('a session id with %s is not connected', async (_, id) => {
    await using server = await startByBytes((socket) => {
      const body =
        '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"x","version":"1"}}}'
      socket.end(
        Buffer.from(
          `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nmcp-session-id: ${id}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
          'latin1',
        ),
      )
    })
    await using gateway = await startGateway({ targets: [{ name: 'a', mcp: { url: server.url } }] })
    expect(gateway.readiness().targets[0]).toMatchObject({
      ready: false,
      reason: 'the server gave a session id that cannot be sent',
    })
  })

  it('noise is reported once, however often it comes', async () => {
    await using bad = await startHostile(({ id }, response) => {
      stream(response)
      response.end(answer('nobody').repeat(100) + answer(id))
    })
    await using gateway = await spawnGateway({ targets: [{ name: 'a', mcp: { url: bad.url } }] })
    const session = await openSession(gateway.url)
    for (let index = 0; index < 5; index++) await session.call('a__bad')
    const reports = () => gateway.log.filter((it) => it['msg'] === 'not the protocol')
    await waitUntil(() => reports().length > 0, 'the report')
    expect(reports()).toHaveLength(1)
    expect(reports()[0]).toMatchObject({ target: 'a', what: 'an answer to no request of ours' })
  })
})

async function startByBytes(
  answerWith: (socket: Socket) => void,
): Promise<{ readonly url: string } & AsyncDisposable> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => answerWith(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  }
}
