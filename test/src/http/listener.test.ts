import { Hono } from 'hono'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { listen } from '../../../src/http/listener.js'

/** Sends what is given and nothing more; resolves with all that came back when the other side closes. */
async function sendPart(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(text)
  let answer = ''
  for await (const chunk of socket) answer += String(chunk)
  return answer
}

describe('a request that does not arrive', () => {
  it.each([
    ['its headers', 'POST / HTTP/1.1\r\nhost: a\r\n', { headersMs: 50, requestMs: 60_000 }],
    [
      'its body',
      'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf',
      { headersMs: 50, requestMs: 100 },
    ],
  ])('is answered with 408 and let go: %s', async (_what, text, patience) => {
    const app = new Hono().post('/', async (c) => c.text(await c.req.text().catch(() => '')))
    const listener = await listen(app, '127.0.0.1', 0, undefined, { ...patience, checkMs: 20 })
    expect(await sendPart(listener.port, text)).toMatch(/^HTTP\/1\.1 408 /)
    await listener.close(0)
  })
})
