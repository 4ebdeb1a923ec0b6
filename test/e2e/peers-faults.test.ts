/** Processes that reach each other, and then do not, or not as they should: docs/reliability.md, "Replicas". */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { NOBODY } from '../../src/auth/principal.js'
import { DOC, ELICITS, UPDATED, withDoc } from '../support/asking.js'
import { childServer } from '../support/child-server.js'
import { freePort } from '../support/free-port.js'
import { spawnGateway, startGateway } from '../support/gateway.js'
import { isRefused } from '../support/is-refused.js'
import { openSession, post } from '../support/raw-client.js'
import { startReplicas } from '../support/replicas.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { ADA, authentication } from '../support/two-principals.js'
import { Peers } from '../../src/peers/peers.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const child = (name: string) => ({ ...childServer(name), scope: 'session' })

/** Two commands; the first can be stopped and go on. */
async function spawnTwo(targets: readonly JsonObject[]) {
  const config = { targets, sessions: { keys: [randomBytes(32).toString('base64')] } }
  const home = await spawnGateway(config)
  const other = await spawnGateway(config)
  return {
    home,
    other,
    freeze: () => home.process.kill('SIGSTOP'),
    thaw: () => home.process.kill('SIGCONT'),
    [Symbol.asyncDispose]: async () => {
      home.process.kill('SIGCONT')
      await home[Symbol.asyncDispose]()
      await other[Symbol.asyncDispose]()
    },
  }
}

describe('a gateway whose port for the others is taken', () => {
  it('does not start, and says so', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    const keys = [randomBytes(32).toString('base64')]
    const own = await freePort()
    const config = { listen: { port: own }, targets: [], sessions: { keys, peers: { port } } }
    await expect(startGateway(config)).rejects.toThrow(/EADDRINUSE/)
    expect(await isRefused(own)).toBe(true)
    taken.close()
  })
})

describe('a request that is given', () => {
  it('may have whatever headers a request may have', async () => {
    await using it = await startReplicas(2, { targets: [{ name: 'a', stdio: child('good') }] })
    const [home = '', other = ''] = it.urls
    const headers = { trailer: 'x-a', te: 'trailers', expect: '100-continue' }
    const session = (await openSession(home, undefined, {}, headers)).at(other)
    expect((await session.call('a__echo', { message: 'x' })).json).toMatchObject({ result: {} })
  })

  it('may be of a variant that is a child process, where the usual one is none', async () => {
    await using upstream = await startEcho()
    const when = 'request.headers["x-beta"] == "yes"'
    const variants = [
      { name: 'stable', mcp: { url: upstream.url } },
      { name: 'canary', when, stdio: child('good') },
    ]
    await using it = await startReplicas(2, { targets: [{ name: 'a', variants }] })
    const [home = '', other = ''] = it.urls
    const session = await openSession(home, undefined, {}, { 'x-beta': 'yes' })
    const here = await session.call('a__pid')
    expect(here.json).toMatchObject({ result: {} })
    expect((await session.at(other).call('a__pid')).json['result']).toEqual(here.json['result'])
  })

  it('is refused as where it is served, at the address that the client knows', async () => {
    const it = await startReplicas(2, {
      targets: [{ name: 'a', stdio: child('good') }],
      authentication: {
        ...authentication,
        jwt: [{ issuer: 'https://i', audiences: ['a'], jwks: { url: 'http://127.0.0.1:1/' } }],
      },
      authorization: { toolScopes: { a__echo: ['write'] } },
    })
    await using _ = it
    const [home = '', other = ''] = it.urls
    const session = await openSession(`${home}/a`, undefined, {}, ADA)
    const here = await session.call('echo')
    const there = await session.at(`${other}/a`).call('echo')
    expect(here.status).toBe(403)
    expect(there.status).toBe(403)
    const challenge = there.headers['www-authenticate']
    expect(challenge).toContain(`resource_metadata="${new URL(other).origin}/.well-known`)
    expect(challenge).toContain('/mcp/a"')
    expect(here.headers['www-authenticate']).toContain('/mcp/a"')
  })
})

it('an answer in a batch is not taken where nobody waits for it', async () => {
  await using it = await startReplicas(2, { targets: [{ name: 'a', stdio: child('asking') }] })
  const [home = '', other = ''] = it.urls
  const session = await openSession(home, '2025-03-26', ELICITS)
  const stream = await session.begin('tools/call', { name: 'a__ask' })
  await stream.next('elicitation/create')
  const id = stream.messages.at(-1)?.['id']
  const batch = [{ jsonrpc: '2.0', id, result: { action: 'accept', content: {} } }]
  expect((await post(other, batch, session.headers)).status).toBe(503)
  expect((await post(home, batch, session.headers)).status).toBe(202)
  await stream.ended
})

it('each request is counted once, wherever it is served and whoever else hears of it', async () => {
  await using it = await spawnTwo([{ name: 'a', stdio: child('good') }])
  const session = (await openSession(it.home.url)).at(it.other.url)
  await session.request('logging/setLevel', { level: 'info' })
  await session.call('a__echo', { message: 'x' })
  const asked = () =>
    [it.home, it.other].map(({ log }) =>
      log.flatMap(({ method }) =>
        method === undefined || method === 'initialize' ? [] : [method],
      ),
    )
  await waitUntil(() => asked().every((it) => it.length > 0), 'both to be logged')
  expect(asked()).toEqual([['tools/call'], ['logging/setLevel']])
})

describe('a connection between two', () => {
  const request = {
    method: 'DELETE',
    name: '',
    body: undefined,
    principal: NOBODY,
    origin: { address: '127.0.0.1', isEncrypted: false },
  }
  async function startPair() {
    const keys = [randomBytes(32)]
    const [asking, asked] = [
      await Peers.open('127.0.0.1', 0, keys),
      await Peers.open('127.0.0.1', 0, keys),
    ]
    asked.serve((_, response) => void response.end('ok'))
    const proxy = await TcpProxy.start(`http://${asked.place}`)
    const ask = async (host: string): Promise<string> =>
      text(
        await asking.ask(
          `127.0.0.1:${proxy.port}`,
          { ...request, headers: { host } },
          new AbortController().signal,
        ),
      )
    return {
      proxy,
      ask,
      [Symbol.asyncDispose]: async () => {
        asking.hangUp()
        await Promise.all([asking.close(0), asked.close(0)])
        await proxy[Symbol.asyncDispose]()
      },
    }
  }

  it('is used again, whatever name a client knows', async () => {
    await using it = await startPair()
    for (const name of ['one.test', 'two.test', '127.0.0.1']) expect(await it.ask(name)).toBe('ok')
    // Both ends of one.
    expect(it.proxy.connections).toBe(2)
  })

  it('that has just been closed is not missed: there is another', async () => {
    await using it = await startPair()
    expect(await it.ask('one.test')).toBe('ok')
    it.proxy.cut()
    it.proxy.mend()
    // Nothing has been heard of it yet.
    expect(await it.ask('one.test')).toBe('ok')
  })
})

it('a session’s stream is not opened elsewhere where its home has too many', async () => {
  await using upstream = await withDoc({ logging: {} })
  await using it = await startReplicas(2, {
    targets: [{ name: 'a', mcp: { url: upstream.url } }],
    listen: { overload: { maxStreams: 1 } },
  })
  const [home = '', other = ''] = it.urls
  const first = await (await openSession(home)).listen()
  const second = await (await openSession(home)).at(other).listen()
  expect(second.status).toBe(503)
  first.close()
  second.close()
})

it('says things in the order in which they were said', async () => {
  await using upstream = await withDoc({ logging: {} })
  await using it = await startReplicas(2, { targets: [{ name: 'a', mcp: { url: upstream.url } }] })
  const [home = '', other = ''] = it.urls
  const session = await openSession(home)
  const stream = await session.listen()
  const moved = session.at(other)
  await moved.request('logging/setLevel', { level: 'info' })
  await moved.call('a__echo')
  // The first takes longer.
  const said = ['x'.repeat(2 ** 20), 'y', 'z']
  for (const data of said) {
    await upstream.notifyAll('notifications/message', { level: 'info', data })
  }
  await waitUntil(() => stream.messages.length === said.length, 'all of them')
  expect(stream.messages.map((it) => (it['params'] as JsonObject)['data'])).toEqual(said)
  stream.close()
})

it('whoever connects and says nothing keeps no gateway from leaving', async () => {
  const port = await freePort()
  const sessions = { keys: [randomBytes(32).toString('base64')], peers: { port } }
  const gateway = await startGateway({ targets: [], sessions })
  const silent = connect({ host: '127.0.0.1', port })
  await once(silent, 'connect')
  silent.on('error', () => undefined)
  await expect(gateway.close()).resolves.toBeUndefined()
})

describe('a home that stands still', () => {
  it('keeps nobody waiting, over a connection that was good before neither', async () => {
    await using upstream = await withDoc({ logging: {} })
    await using it = await spawnTwo([
      { name: 'a', mcp: { url: upstream.url } },
      { name: 'b', stdio: child('good') },
    ])
    const session = await openSession(it.home.url)
    const moved = session.at(it.other.url)
    expect((await moved.request('resources/subscribe', DOC)).status).toBe(200)
    it.freeze()
    expect((await moved.call('b__echo', { message: 'x' })).json).toMatchObject({
      error: { code: -32603 },
    })
    expect((await moved.request('resources/subscribe', DOC)).status).toBe(404)
    const stream = await moved.listen()
    expect(stream.status).toBe(200)
    stream.close()
  })

  it('is noticed by whoever has a stream of it', { timeout: 120_000 }, async () => {
    await using upstream = await withDoc({ logging: {} })
    await using it = await spawnTwo([{ name: 'a', mcp: { url: upstream.url } }])
    const moved = (await openSession(it.home.url)).at(it.other.url)
    const stream = await moved.listen()
    await waitUntil(() => stream.ids.length === 1, 'the first id')
    it.freeze()
    await stream.ended
    const next = await moved.listen(stream.ids.at(-1))
    await next.next('notifications/tools/list_changed')
    next.close()
  })

  it('gets back what was served elsewhere meanwhile, and nothing is missed', async () => {
    await using upstream = await withDoc({ logging: {} })
    await using it = await spawnTwo([{ name: 'a', mcp: { url: upstream.url } }])
    const session = await openSession(it.home.url)
    const moved = session.at(it.other.url)
    it.freeze()
    const stream = await moved.listen()
    it.thaw()
    await stream.ended
    const next = await moved.listen(stream.ids.at(-1))
    expect((await session.request('resources/subscribe', DOC)).status).toBe(200)
    await upstream.notifyUpdated(DOC.uri)
    await next.next(UPDATED)
    next.close()
  })
})

it('a question of a call that still runs is answered while its gateway leaves', async () => {
  await using it = await startReplicas(2, { targets: [{ name: 'a', stdio: child('asking') }] })
  const [home = '', other = ''] = it.urls
  const session = await openSession(home, undefined, ELICITS)
  const stream = await session.begin('tools/call', { name: 'a__ask' })
  await stream.next('elicitation/create')
  const closed = it.gateways[0]?.close()
  const question = String(stream.messages.at(-1)?.['id'])
  const { status } = await session.at(other).answer(question, { action: 'accept', content: {} })
  expect(status).toBe(202)
  await stream.ended
  await closed
})

it('a call that was given to another ends with an error at the deadline of the one that was asked', async () => {
  await using it = await startReplicas(2, {
    targets: [{ name: 'a', stdio: child('good') }],
    listen: { drain: { deadline: '100ms' } },
  })
  const [home = '', other = ''] = it.urls
  const session = (await openSession(home)).at(other)
  const hanging = session.call('a__hang')
  await session.call('a__echo', { message: 'behind it' })
  await it.gateways[1]?.close()
  const { status, json } = await hanging
  expect(status).toBe(200)
  expect(json).toMatchObject({ error: { code: -32603 } })
})
