/** Requests, byte by byte, that two readers could understand in two ways: whoever is in front of us may be the other one. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { RunningGateway } from '../support/gateway.js'
import { startGateway } from '../support/gateway.js'
import { initializeRequest } from '../support/raw-client.js'

const KEYS = { ada: 'the-key-of-ada-0001', bob: 'the-key-of-bob-0001' }
const BODY = JSON.stringify(initializeRequest())

function start(): Promise<RunningGateway> {
  return startGateway({
    targets: [],
    authentication: {
      mode: 'strict',
      apiKeys: Object.entries(KEYS).map(([name, key]) => ({ name, key })),
    },
  })
}

interface Request {
  readonly line?: string
  readonly host?: string
  readonly length?: string
  /** Further lines of the head. */
  readonly lines?: string
  readonly body?: string
}

/** Sends these bytes and returns the statuses of all answers that come until the connection ends. */
async function statusesOf(port: number, request: Request): Promise<number[]> {
  const { line = 'POST /mcp HTTP/1.1', host = 'Host: 127.0.0.1', lines = '' } = request
  const { length = `Content-Length: ${BODY.length}`, body = BODY } = request
  const head = [
    line,
    host,
    'Content-Type: application/json',
    'Connection: close',
    ...(length === '' ? [] : [length]),
    ...(lines === '' ? [] : [lines]),
  ]
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk))
  socket.on('error', () => undefined)
  socket.write(Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`, 'latin1'))
  await once(socket, 'close')
  return [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map((it) => Number(it[1]))
}

const AS_ADA = `Authorization: Bearer ${KEYS.ada}`
const SMUGGLED = `0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`
const twice = (name: string, one: string, other: string) => `${name}: ${one}\r\n${name}: ${other}`

describe('a request', () => {
  it('that is as it should be is answered', async () => {
    await using gateway = await start()
    expect(await statusesOf(gateway.port, { lines: AS_ADA })).toEqual([200])
    const mixed = { line: 'POST http://127.0.0.1/mcp HTTP/1.1', lines: AS_ADA }
    expect(await statusesOf(gateway.port, mixed)).toEqual([200])
    expect(
      await statusesOf(gateway.port, { line: 'POST /mcp?a=/../b HTTP/1.1', lines: AS_ADA }),
    ).toEqual([200])
  })

  it.each<[string, number, Request]>([
    ['two hosts', 400, { host: twice('Host', '127.0.0.1', 'evil.example') }],
    ['two hosts, the bad one first', 400, { host: twice('Host', 'evil.example', '127.0.0.1') }],
    ['no host', 400, { host: 'X-Host: 127.0.0.1' }],
    ['a host with a user', 400, { host: 'Host: 127.0.0.1@evil.example' }],
    ['a host in numbers', 403, { host: 'Host: 2130706433' }],
    ['a host that ends with a dot', 403, { host: 'Host: localhost.' }],
    [
      'a host in its path that is not the header’s',
      403,
      { line: 'POST http://evil.example/mcp HTTP/1.1' },
    ],
    [
      'a host in its path that is good, and a header that is not',
      403,
      { line: 'POST http://127.0.0.1/mcp HTTP/1.1', host: 'Host: evil.example' },
    ],
    ['two origins', 400, { lines: twice('Origin', 'http://localhost', 'http://evil.example') }],
    [
      'two credentials',
      400,
      { lines: twice('Authorization', `Bearer ${KEYS.ada}`, `Bearer ${KEYS.bob}`) },
    ],
    ['one credential twice', 400, { lines: twice('X-Api-Key', KEYS.ada, KEYS.ada) }],
    ['two sessions', 400, { lines: twice('Mcp-Session-Id', 'a', 'b') }],
    [
      'two kinds of content',
      400,
      { lines: twice('content-TYPE', 'application/json', 'text/plain') },
    ],
    ['two versions', 400, { lines: twice('MCP-Protocol-Version', '2025-11-25', '2026-07-28') }],
    ['two lengths', 400, { lines: 'Content-Length: 5' }],
    ['a length that is no number', 400, { length: 'Content-Length: +5' }],
    ['a length and chunks', 400, { lines: 'Transfer-Encoding: chunked', body: SMUGGLED }],
    [
      'chunks and a length',
      400,
      { length: 'Transfer-Encoding: chunked', lines: 'Content-Length: 5', body: SMUGGLED },
    ],
    ['a coding that nobody knows', 400, { length: 'Transfer-Encoding: xchunked', body: SMUGGLED }],
    [
      'chunks that are not the last coding',
      400,
      { length: 'Transfer-Encoding: chunked, identity', body: SMUGGLED },
    ],
    ['a header folded over two lines', 400, { lines: `Authorization: Bearer\r\n ${KEYS.ada}` }],
    ['a header that ends with a line feed alone', 400, { lines: `X-A: b\n${AS_ADA}` }],
    ['a header with a carriage return in it', 400, { lines: `X-A: b\rX-B: c` }],
    ['a header with a null in it', 400, { lines: 'X-A: b\0c' }],
    ['a space before the colon', 400, { lines: `Authorization : Bearer ${KEYS.ada}` }],
    ['a path that steps upwards', 400, { line: 'POST /mcp/%2e%2e/mcp HTTP/1.1' }],
    ['a path that steps upwards, plainly', 400, { line: 'POST /mcp/a/../../mcp HTTP/1.1' }],
    ['a path that steps nowhere', 400, { line: 'POST /mcp/%2E/a HTTP/1.1' }],
    ['two slashes', 404, { line: 'POST //mcp HTTP/1.1' }],
  ])('with %s is answered once, with %i', async (_, status, request) => {
    await using gateway = await start()
    const lines = request.lines ?? AS_ADA
    expect(await statusesOf(gateway.port, { ...request, lines })).toEqual([status])
  })

  it.each(['256.256.256.256', '1.2.3.4.5', 'localhost:99999', '[::g]'])(
    'to the host %s, which is none, is refused wherever the gateway listens',
    async (host) => {
      await using gateway = await startGateway({
        targets: [],
        listen: { host: '0.0.0.0', legacySse: true },
        authentication: {
          mode: 'strict',
          jwt: [{ issuer: 'https://i', audiences: ['a'], jwks: { url: 'http://127.0.0.1:1/' } }],
        },
      })
      for (const line of ['POST /mcp HTTP/1.1', 'GET /sse HTTP/1.1']) {
        const [status] = await statusesOf(gateway.port, { line, host: `Host: ${host}` })
        expect([400, 403]).toContain(status)
      }
    },
  )

  it('shows nothing by a header that is another but for its lines', async () => {
    await using gateway = await start()
    for (const lines of [`X_Api_Key: ${KEYS.ada}`, `X-Api_Key: ${KEYS.ada}`]) {
      expect(await statusesOf(gateway.port, { lines })).toEqual([401])
    }
  })
})
