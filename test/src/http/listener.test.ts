import { Hono } from 'hono'
import { once } from 'node:events'
import { request } from 'node:https'
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { text as readText } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { listen } from '../../../src/http/listener.js'
import { Authority } from '../../support/certificates.js'

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

  it('is let go where another process listens, too', async () => {
    const outer = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
    await once(outer, 'listening')
    const { port } = outer.address() as { port: number }
    const doorway = {
      port,
      ended: Promise.resolve(),
      onConnection: (take: (connection: Socket) => void) => void outer.on('connection', take),
    }
    const patience = { headersMs: 50, requestMs: 60_000, checkMs: 20 }
    const listener = await listen(new Hono(), '127.0.0.1', doorway, undefined, patience)
    expect(listener.port).toBe(port)
    expect(await sendPart(port, 'POST / HTTP/1.1\r\nhost: a\r\n')).toMatch(/^HTTP\/1\.1 408 /)
    await listener.close(0)
    outer.close()
  })
})

describe('a listener that is closed', () => {
  it('serves all who were waiting to be taken in, and no others', async () => {
    const app = new Hono().get('/', (c) => c.text('served'))
    const listener = await listen(app, '127.0.0.1', 0)
    const text = 'GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'
    // The system has connected them before the listener hears of the first.
    const answers = Array.from({ length: 50 }, () => sendPart(listener.port, text))
    const closed = listener.close(5_000)
    for (const answer of await Promise.all(answers)) expect(answer).toMatch(/served$/)
    await closed
    await expect(sendPart(listener.port, text)).rejects.toThrow('ECONNREFUSED')
  })
})

describe('a listener with a certificate that is closed', () => {
  it('lets what runs finish, and cuts connections that nothing came on', async () => {
    await using authority = await Authority.create()
    await authority.sign('server', 'server', 'IP:127.0.0.1')
    let finish: () => void = () => undefined
    const finished = new Promise<void>((resolve) => (finish = resolve))
    let arrive: () => void = () => undefined
    const arrived = new Promise<void>((resolve) => (arrive = resolve))
    const app = new Hono().get('/', async (c) => {
      arrive()
      await finished
      return c.text('done')
    })
    const settings = { cert: authority.path('server.pem'), key: authority.path('server.key') }
    const tls = { settings, onChange: () => undefined }
    const listener = await listen(app, '127.0.0.1', 0, tls)
    const { port } = listener
    const ca = await authority.read('ca.pem')
    const sent = request({ host: '127.0.0.1', port, ca, agent: false }).end()
    const answer = once(sent, 'response').then(([response]) => readText(response as never))
    await arrived
    const unused = connect(port, '127.0.0.1').resume()
    await once(unused, 'connect')
    const closed = listener.close(10_000)
    // Younger than the connection of the request.
    await once(unused, 'close')
    finish()
    expect(await answer).toBe('done')
    await closed
  })
})
