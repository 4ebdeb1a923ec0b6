/** What is begun at one of three gateways and goes on at another, which gives it to the one that has it: docs/reliability.md, "Replicas". */
import { randomBytes } from 'node:crypto'
import { connect } from 'node:tls'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { Peers } from '../../src/peers/peers.js'
import { PeerUnreachableError } from '../../src/peers/sending.js'
import {
  ACCEPT,
  asking,
  DOC,
  ELICITS,
  question,
  requestedSchema,
  UPDATED,
  withDoc,
} from '../support/asking.js'
import { childServer } from '../support/child-server.js'
import { freePort } from '../support/free-port.js'
import { spawnGateway, startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import { startModern } from '../support/modern-upstream.js'
import type { RawSession, Stream } from '../support/raw-client.js'
import { openSession } from '../support/raw-client.js'
import { startReplicas } from '../support/replicas.js'
import { SseServer } from '../support/sse-server.js'
import { ADA, authentication, BOB } from '../support/two-principals.js'
import type { Handler, Upstream } from '../support/upstream-server.js'
import { echo, startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const child = (name: string) => ({ ...childServer(name), scope: 'session' })
const said = (stream: Stream): string => JSON.stringify(stream.messages.at(-1))

/** Three gateways: the session is at home in the first. */
async function startThree(upstream: Upstream | undefined, more: JsonObject = {}) {
  const targets = upstream === undefined ? [] : [{ name: 'a', mcp: { url: upstream.url }, ...more }]
  const it = await startReplicas(3, { targets })
  const [home = '', other = '', third = ''] = it.urls
  return { ...it, home, other, third }
}

/** Tells one step, and then waits until it is told to go on. */
function steps() {
  const waiting: (() => void)[] = []
  const handler: Handler = async (_, { sendNotification, _meta, signal }) => {
    const params = { progressToken: _meta?.progressToken ?? 0, progress: 1 }
    await sendNotification({ method: 'notifications/progress', params })
    await new Promise<void>((resolve) => {
      waiting.push(resolve)
      signal.addEventListener('abort', () => resolve())
    })
    return { content: [{ type: 'text', text: signal.aborted ? 'cancelled' : 'done' }] }
  }
  return { handler, go: () => waiting.shift()?.() }
}

async function begin(session: RawSession): Promise<Stream> {
  const stream = await session.begin('tools/call', { name: 'a__echo', _meta: { progressToken: 1 } })
  await stream.next('notifications/progress')
  return stream
}

describe('a session of the older era', () => {
  it('follows a resource wherever it says so, and hears of it wherever it listens', async () => {
    await using upstream = await withDoc()
    await using it = await startThree(upstream)
    for (const [listens, follows] of [
      [it.home, it.other],
      [it.other, it.home],
      [it.other, it.third],
    ] as const) {
      const session = await openSession(it.home)
      const stream = await session.at(listens).listen()
      const { status } = await session.at(follows).request('resources/subscribe', DOC)
      expect(status).toBe(200)
      await upstream.notifyUpdated(DOC.uri)
      await stream.next(UPDATED)
      const told = upstream.asked('resources/unsubscribe').length
      await session.at(it.third).request('resources/unsubscribe', DOC)
      expect(upstream.asked('resources/unsubscribe')).toHaveLength(told + 1)
      stream.close()
      await session.delete()
    }
  })

  it('has one general stream, that goes on wherever it is asked for', async () => {
    await using upstream = await startEcho()
    await using it = await startThree(upstream)
    const session = await openSession(it.home)
    const stream = await session.at(it.other).listen()
    await waitUntil(() => stream.ids.length === 1, 'the first id')
    stream.close()
    upstream.lists.tools = []
    await upstream.notifyListChanged('tools')
    // Nothing was missed between the two, and nothing is told that was not so.
    const next = await session.at(it.third).listen(stream.ids.at(-1))
    await next.next('notifications/tools/list_changed')
    expect(next.messages).toHaveLength(1)
    next.close()
  })

  it('comes to the rest of a call’s stream at once, wherever the call ran', async () => {
    const { handler, go } = steps()
    await using upstream = await startEcho({ handlers: { 'tools/call': handler } })
    await using it = await startThree(upstream)
    const session = await openSession(it.home)
    for (const [runs, asks] of [
      [it.home, it.other],
      [it.other, it.home],
      [it.other, it.third],
    ] as const) {
      const stream = await begin(session.at(runs))
      stream.close()
      const rest = await session.at(asks).listen(stream.ids.at(-1))
      go()
      await rest.ended
      expect(said(rest)).toContain('done')
    }
  })

  it('cancels a call from anywhere, wherever that runs', async () => {
    let cancelled = 0
    const { handler } = steps()
    const heard: Handler = (params, extra) => {
      extra.signal.addEventListener('abort', () => cancelled++)
      return handler(params, extra)
    }
    await using upstream = await startEcho({ handlers: { 'tools/call': heard } })
    await using it = await startThree(upstream)
    const session = await openSession(it.home)
    let id = 77
    // The first of them before the process that runs the call has said that it serves the session.
    for (const [runs, cancels] of [
      [it.other, it.third],
      [it.other, it.third],
      [it.other, it.home],
      [it.home, it.other],
      [it.third, it.other],
    ] as const) {
      const params = { name: 'a__echo', _meta: { progressToken: 1 } }
      const stream = await session.at(runs).beginAs(++id, 'tools/call', params)
      await stream.next('notifications/progress')
      const before = cancelled
      await session.at(cancels).notify('notifications/cancelled', { requestId: id })
      await waitUntil(() => cancelled === before + 1, 'the server to hear of it')
      await stream.ended
    }
  })

  it('has one log level, wherever that was said', async () => {
    await using upstream = await startEcho({
      capabilities: { logging: {} },
      handlers: { 'logging/setLevel': () => ({}) },
    })
    await using it = await startThree(upstream)
    const session = await openSession(it.home)
    const levels = (): unknown[] =>
      upstream.asked('logging/setLevel').map(({ params }) => params['level'])
    await session.at(it.home).request('logging/setLevel', { level: 'error' })
    await session.at(it.other).call('a__echo')
    // It was used before it was said there what the level is.
    await waitUntil(() => levels().includes('error'), 'the other to hear of the level')
    await session.at(it.third).request('logging/setLevel', { level: 'debug' })
    await waitUntil(() => levels().includes('debug'), 'the other to hear of the next')
  })

  it('has one child process, whichever replica it calls', async () => {
    await using it = await startReplicas(3, { targets: [{ name: 'a', stdio: child('good') }] })
    const [home = ''] = it.urls
    const session = await openSession(home)
    const pids = new Set<string>()
    for (const url of [...it.urls, ...it.urls]) {
      pids.add(JSON.stringify((await session.at(url).call('a__pid')).json['result']))
    }
    expect(pids.size).toBe(1)
    const other = await openSession(home)
    expect(pids).not.toContain(JSON.stringify((await other.call('a__pid')).json['result']))
  })

  it('has one stream with a server that speaks HTTP+SSE', async () => {
    await using server = await SseServer.start(echo)
    await using it = await startReplicas(2, { targets: [{ name: 'a', sse: { url: server.url } }] })
    const session = await openSession(it.urls[0] ?? '')
    for (const url of it.urls) {
      expect((await session.at(url).call('a__tool')).json).toMatchObject({ result: {} })
    }
    // The two of the gateways themselves, and the session's.
    expect(server.sessions).toBe(3)
  })

  it('is ended everywhere that it has anything open', async () => {
    await using upstream = await startEcho()
    await using it = await startThree(upstream)
    const session = await openSession(it.home)
    for (const url of it.urls) await session.at(url).call('a__echo')
    expect(upstream.sessions).toBe(6)
    await session.at(it.other).delete()
    await waitUntil(() => upstream.sessions === 3, 'the upstream sessions to end')
    for (const url of it.urls) expect((await session.at(url).request('ping')).status).toBe(404)
  })
})

describe('what a server says outside of calls', () => {
  it('comes on the stream of the client’s, whichever replica heard it', async () => {
    await using upstream = await startEcho({ capabilities: { logging: {} } })
    await using it = await startThree(upstream)
    const session = await openSession(it.home)
    const stream = await session.at(it.third).listen()
    const moved = session.at(it.other)
    await moved.request('logging/setLevel', { level: 'info' })
    await moved.call('a__echo')
    await upstream.notifyAll('notifications/message', { level: 'info', data: 'late' })
    await stream.next('notifications/message')
    expect(said(stream)).toContain('late')
    stream.close()
  })
})

describe('a question', () => {
  it('of a child process is answered anywhere', async () => {
    await using it = await startReplicas(2, { targets: [{ name: 'a', stdio: child('asking') }] })
    const [home = '', other = ''] = it.urls
    const session = await openSession(home, undefined, ELICITS)
    const stream = await session.begin('tools/call', { name: 'a__ask' })
    await stream.next('elicitation/create')
    const answer = { action: 'accept', content: { from: 'other' } }
    expect((await session.at(other).answer(question(stream), answer)).status).toBe(202)
    await stream.ended
    expect(said(stream)).toContain('other')
  })

  it('of a server of 2026-07-28 is answered anywhere by an older client', async () => {
    await using upstream = await startModern({
      handlers: {
        'tools/call': ({ params }) =>
          params['inputResponses'] === undefined
            ? {
                resultType: 'input_required',
                inputRequests: {
                  q: { method: 'elicitation/create', params: { message: 'Who?', requestedSchema } },
                },
              }
            : { content: [{ type: 'text', text: JSON.stringify(params['inputResponses']) }] },
      },
    })
    const targets = [{ name: 'a', mcp: { url: upstream.url } }]
    await using it = await startReplicas(3, { targets })
    const [home = '', other = '', third = ''] = it.urls
    const session = await openSession(home, undefined, ELICITS)
    const stream = await session.at(other).begin('tools/call', { name: 'a__echo' })
    await stream.next('elicitation/create')
    expect((await session.at(third).answer(question(stream), ACCEPT)).status).toBe(202)
    await stream.ended
    expect(said(stream)).toContain('accept')
  })

  it('of an older server is answered anywhere by a client of 2026-07-28, whose call is parked', async () => {
    await using upstream = await startEcho({ handlers: { 'tools/call': asking } })
    await using it = await startThree(upstream, { parkCalls: true })
    const options = { capabilities: ELICITS }
    const first = await new ModernClient(it.home).call('a__echo', {}, options)
    const { requestState = null } = first.json['result'] as JsonObject
    const params = { name: 'a__echo', arguments: {}, requestState, inputResponses: { q1: ACCEPT } }
    const answer = await new ModernClient(it.other).request('tools/call', params, options)
    expect(answer.text).toContain('accept')
    expect(upstream.asked('tools/call')).toHaveLength(1)
  })
})

describe('where the home of a session is gone', () => {
  it('its streams are opened, and resources followed, wherever it listens; elsewhere it is to begin anew', async () => {
    await using upstream = await withDoc()
    await using it = await startThree(upstream)
    const session = await openSession(it.home)
    const [other, third] = [session.at(it.other), session.at(it.third)]
    const first = await other.listen()
    await it.gateways[0]?.close()
    await first.ended
    const stream = await other.listen(first.ids.at(-1))
    // Whatever was said at the home may have been missed.
    await stream.next('notifications/tools/list_changed')
    expect((await third.request('resources/subscribe', DOC)).status).toBe(404)
    expect((await other.request('resources/subscribe', DOC)).status).toBe(200)
    await upstream.notifyUpdated(DOC.uri)
    await stream.next(UPDATED)
    expect((await third.call('a__echo')).status).toBe(200)
    stream.close()
  })

  it('a child process is another, and a call that ran in the one before is not repeated', async () => {
    const config = {
      targets: [{ name: 'a', stdio: child('good') }],
      sessions: { keys: [randomBytes(32).toString('base64')] },
    }
    await using home = await spawnGateway(config)
    await using other = await spawnGateway(config)
    const session = (await openSession(home.url)).at(other.url)
    const { text } = await session.call('a__pid')
    const hanging = session.call('a__hang')
    expect((await session.call('a__echo', { message: 'still' })).text).toContain('still')
    home.process.kill('SIGKILL')
    expect((await hanging).json).toMatchObject({ error: { code: -32603 } })
    const after = await session.call('a__pid')
    expect(after.json).toMatchObject({ result: {} })
    expect(after.text).not.toBe(text)
  })
})

describe('a gateway that leaves', () => {
  it('ends the streams that come from elsewhere, and they go on there', async () => {
    await using upstream = await startEcho()
    await using it = await startThree(upstream)
    const session = await openSession(it.home)
    const stream = await session.at(it.other).listen()
    await waitUntil(() => stream.ids.length === 1, 'the first id')
    await it.gateways[1]?.close()
    await stream.ended
    const next = await session.at(it.third).listen(stream.ids.at(-1))
    upstream.lists.tools = []
    await upstream.notifyListChanged('tools')
    await next.next('notifications/tools/list_changed')
    expect(next.messages).toHaveLength(1)
    next.close()
  })
})

describe('what one gateway gives another', () => {
  it('is of whoever sent it, with what that one may do', async () => {
    await using upstream = await withDoc()
    const it = await startReplicas(2, {
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      authentication,
      authorization: {
        rules: [{ deny: 'mcp.resource.name == "demo://doc" && principal.name != "ada"' }],
      },
    })
    await using _ = it
    const [home = '', other = ''] = it.urls
    const session = await openSession(home, undefined, {}, ADA)
    const stream = await session.listen()
    expect((await session.at(other).request('resources/subscribe', DOC)).json).toMatchObject({
      result: {},
    })
    const stolen = await openSession(home, undefined, {}, BOB)
    expect((await stolen.at(other).request('resources/subscribe', DOC)).json).toMatchObject({
      error: {},
    })
    const { status } = await session.at(other).request('ping')
    expect(status).toBe(200)
    stream.close()
  })

  it('nobody else can give: without the key there is no connection, with another neither', async () => {
    const port = await freePort()
    const keys = [randomBytes(32)]
    const sessions = { keys: keys.map((key) => key.toString('base64')), peers: { port } }
    await using _ = await startGateway({ targets: [], sessions })
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
    await expect(once(socket, 'secureConnect')).rejects.toThrow(/alert|handshake|EPROTO/)
    const plain = fetch(`http://127.0.0.1:${port}/`)
    await expect(plain).rejects.toThrow('fetch failed')
    const ask = async (key: Buffer) => {
      const peers = await Peers.open('127.0.0.1', 0, [key])
      const principal = { id: 'anonymous', kind: 'anonymous', name: '', claims: {} } as const
      const origin = { address: '127.0.0.1', isEncrypted: false }
      try {
        const { statusCode } = await peers.ask(
          `127.0.0.1:${port}`,
          { method: 'DELETE', name: '', headers: {}, body: undefined, principal, origin },
          AbortSignal.timeout(10_000),
        )
        return statusCode
      } finally {
        await peers.close(0)
        peers.hangUp()
      }
    }
    await expect(ask(randomBytes(32))).rejects.toThrow(PeerUnreachableError)
    // It is the protocol of the gateway from here on.
    expect(await ask(keys[0] as Buffer)).toBe(400)
  })

  it('is taken from no client: neither who it is nor where something belongs', async () => {
    await using it = await startThree(undefined)
    const visit = { principal: { id: 'jwt:x', kind: 'jwt', name: 'x', claims: {} } }
    const forged = Buffer.from(JSON.stringify(visit)).toString('base64url')
    const session = await openSession(it.home, undefined, {}, { 'junction-visit': forged })
    const moved = session.at(it.other)
    const stream = await moved.listen('0123456789ab@bm93aGVyZTo4MA-1.WzFd.1')
    await stream.ended
    expect(stream.messages).toEqual([])
    expect((await moved.request('ping')).status).toBe(200)
  })
})
