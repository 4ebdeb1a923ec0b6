/** What is sent to a collector, and again where it may be taken later. */
import { once } from 'node:events'
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { HttpPoster } from '../../../backends/index.js'
import { OtlpExporter } from '../../../src/telemetry/otlp-exporter.js'

const SERIALIZER = { serializeRequest: (text: string) => Buffer.from(text) }

interface Got {
  readonly url: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

async function collector(answer: (response: ServerResponse, attempt: number) => void) {
  const got: Got[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { url, headers } = request
      got.push({ url, headers, body: Buffer.concat(chunks).toString() })
      answer(response, got.length)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    got,
    port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function exporterTo(port: number, userInfo = '') {
  const url = `http://${userInfo}127.0.0.1:${port}/base/v1/traces?tenant=a`
  const exporter = new OtlpExporter(SERIALIZER, new HttpPoster(url, { 'x-key': 'k' }))
  const send = (text: string) =>
    new Promise<{ code: number; error?: Error }>((done) => exporter.export(text, done))
  return { exporter, send }
}

describe('the way to a collector', () => {
  it('leads to the address as it is written, with its headers', async () => {
    await using it = await collector((response) => response.writeHead(200).end('{}'))
    const { exporter, send } = exporterTo(it.port, 'ada:p%40ss@')
    expect(await send('spans')).toEqual({ code: 0 })
    await exporter.shutdown()
    const [{ url, headers, body } = { url: '', headers: {}, body: '' }] = it.got
    expect({ url, body }).toEqual({ url: '/base/v1/traces?tenant=a', body: 'spans' })
    const basic = `Basic ${Buffer.from('ada:p@ss').toString('base64')}`
    expect(headers).toMatchObject({ 'x-key': 'k', authorization: basic, 'content-length': '5' })
  })

  it('is taken again when the collector says when', async () => {
    await using it = await collector((response, attempt) =>
      attempt === 1
        ? response.writeHead(503, { 'retry-after': '0' }).end()
        : response.writeHead(200).end(),
    )
    const { exporter, send } = exporterTo(it.port)
    expect(await send('spans')).toEqual({ code: 0 })
    expect(it.got.map(({ body }) => body)).toEqual(['spans', 'spans'])
    await exporter.shutdown()
  })

  it('is not taken again where the collector will not have it', async () => {
    await using it = await collector((response) => response.writeHead(400).end('a secret'))
    const { exporter, send } = exporterTo(it.port)
    const { code, error } = await send('spans')
    expect(code).toBe(1)
    expect(error?.message).toBe('the collector answers HTTP 400')
    expect(it.got).toHaveLength(1)
    await exporter.shutdown()
  })

  it('is taken again after a connection that broke, and not once nobody waits', async () => {
    await using it = await collector((response) => response.destroy())
    const { exporter, send } = exporterTo(it.port)
    const sending = send('spans')
    await expect.poll(() => it.got.length, { timeout: 5_000 }).toBe(2)
    await exporter.shutdown()
    expect(await sending).toMatchObject({ code: 1 })
    expect(it.got).toHaveLength(2)
  })

  it('is given up where nobody listens any more', async () => {
    const { port } = await collector(() => undefined).then(async (it) => {
      await it[Symbol.asyncDispose]()
      return it
    })
    const { exporter, send } = exporterTo(port)
    const sending = send('spans')
    await exporter.shutdown()
    const { code, error } = await sending
    expect({ code, reason: error?.message }).toEqual({
      code: 1,
      reason: 'the collector cannot be reached',
    })
  })

  it('is not taken any more by what waited for it too long', async () => {
    const asked: ServerResponse[] = []
    await using it = await collector((response) => void asked.push(response))
    const poster = new HttpPoster(`http://127.0.0.1:${it.port}/`, {})
    const first = poster.post(Buffer.from('first'), 10_000)
    await expect.poll(() => asked.length).toBe(1)
    await expect(poster.post(Buffer.from('second'), 50)).rejects.toThrow('no answer within 50 ms')
    const third = poster.post(Buffer.from('third'), 10_000)
    asked[0]?.writeHead(200).end()
    await expect(first).resolves.toMatchObject({ status: 200 })
    await expect.poll(() => asked.length).toBe(2)
    asked[1]?.writeHead(204).end()
    await expect(third).resolves.toMatchObject({ status: 204 })
    expect(it.got.map(({ body }) => body)).toEqual(['first', 'third'])
    await poster.close()
  })

  it('waits no longer than it was told to', async () => {
    await using it = await collector(() => undefined)
    const poster = new HttpPoster(`http://127.0.0.1:${it.port}/`, {})
    await expect(poster.post(Buffer.from('x'), 100)).rejects.toThrow('no answer within 100 ms')
    await poster.close()
  })
})
