import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { childServer } from '../support/child-server.js'
import { EverythingProcess } from '../support/everything-process.js'
import { spawnGateway, startGateway } from '../support/gateway.js'
import type { RawResponse, RawSession } from '../support/raw-client.js'
import { openSession } from '../support/raw-client.js'
import { connectV1 } from '../support/sdk-clients.js'
import type { Handler } from '../support/upstream-server.js'
import { echo, startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const SESSIONS = 50
const key = () => randomBytes(32).toString('base64')
const stdio = childServer('good')

function openSessions(url: string): Promise<RawSession[]> {
  return Promise.all(Array.from({ length: SESSIONS }, () => openSession(url)))
}

/** Each session calls with a mark of its own, and must get that mark back. */
async function expectAllWork(sessions: readonly RawSession[], tool: string): Promise<void> {
  const answers = await Promise.all(
    sessions.map((it, index) => it.call(tool, { message: `mark-${index}` })),
  )
  for (const [index, { status, json }] of answers.entries()) {
    expect(status).toBe(200)
    expect(JSON.stringify(json['result'])).toMatch(new RegExp(`mark-${index}\\b`))
  }
}

const isError = ({ json }: RawResponse) =>
  (json['error'] as JsonObject | undefined)?.['code'] === -32603

describe('fifty running sessions survive', () => {
  it('the death and return of a server; only calls in flight fail, each with an error [R57][R90]', async () => {
    let holding = true
    const held: Handler = async (params) => {
      if (holding) await new Promise(() => undefined)
      return echo(params, {} as never)
    }
    await using dying = await startEcho({ handlers: { 'tools/call': held } })
    await using other = await startEcho()
    await using gateway = await startGateway({
      targets: [
        { name: 'dying', mcp: { url: dying.url } },
        { name: 'other', mcp: { url: other.url } },
      ],
    })
    const sessions = await openSessions(gateway.url)
    const inFlight = sessions.map((it) => it.call('dying__echo'))
    await waitUntil(() => dying.asked('tools/call').length === SESSIONS, 'all calls to arrive')
    await dying.kill()
    expect((await Promise.all(inFlight)).every(isError)).toBe(true)
    await expectAllWork(sessions, 'other__echo')
    holding = false
    await dying.start()
    dying.received.length = 0
    await expectAllWork(sessions, 'dying__echo')
    expect(dying.asked('tools/call')).toHaveLength(SESSIONS)
    await waitUntil(
      () => gateway.readiness().targets.every((it) => it.ready),
      'the server to be back',
    )
  })

  it('the death of a server’s process, and its return at the same address', async () => {
    await using server = await EverythingProcess.start()
    await using gateway = await startGateway({ targets: [{ name: 'e', mcp: { url: server.url } }] })
    const sessions = await openSessions(gateway.url)
    await expectAllWork(sessions, 'e__echo')
    const long = { duration: 600, steps: 600 }
    const inFlight = sessions.map((it) => it.call('e__trigger-long-running-operation', long))
    await expectAllWork(sessions, 'e__echo')
    await server.kill()
    expect((await Promise.all(inFlight)).every(isError)).toBe(true)
    await server.start()
    await expectAllWork(sessions, 'e__echo')
  })

  it('the death of a child process', async () => {
    await using gateway = await startGateway({ targets: [{ name: 'good', stdio }] })
    const sessions = await openSessions(gateway.url)
    const inFlight = sessions.map((it) => it.call('good__hang'))
    const [first] = sessions
    if (first === undefined) throw new TypeError('there are sessions')
    const { json } = await first.call('good__pid')
    const { content } = json['result'] as { content: { text: string }[] }
    process.kill(Number(content[0]?.text), 'SIGKILL')
    expect((await Promise.all(inFlight)).every(isError)).toBe(true)
    await expectAllWork(sessions, 'good__echo')
  })

  it('the death of the gateway, restarted with the same key, and two with one key serve each other’s [R92]', async () => {
    await using upstream = await startEcho()
    const targets = [
      { name: 'a', mcp: { url: upstream.url } },
      { name: 'good', stdio },
    ]
    const sessions = { keys: [key()] }
    const first = await spawnGateway({ targets, sessions })
    const running = await openSessions(first.url)
    await using client = await connectV1(first.url)
    await expectAllWork(running, 'a__echo')
    const inFlight = Promise.allSettled(running.slice(0, 5).map((it) => it.call('good__hang')))
    await first.kill()
    expect((await inFlight).map((it) => it.status)).toEqual(Array(5).fill('rejected'))

    const listen = { port: first.port }
    await using second = await spawnGateway({ targets, sessions, listen })
    await expectAllWork(running, 'a__echo')
    await expectAllWork(running, 'good__echo')
    const answer = await client.callTool({ name: 'a__echo', arguments: { still: 'here' } })
    expect(answer.content).toEqual([{ type: 'text', text: '{"still":"here"}' }])

    await using replica = await spawnGateway({ targets, sessions })
    const moved = running.map((it) => Object.assign(it, { url: replica.url }))
    await expectAllWork(moved, 'a__echo')
    await using stranger = await spawnGateway({ targets, sessions: { keys: [key()] } })
    const lost = await Object.assign(moved[0] as RawSession, { url: stranger.url }).request('ping')
    expect(lost.status).toBe(404)
    expect(second.port).toBe(first.port)
  })
})

describe('a gateway that is told to stop', () => {
  it('is not held up by a connection that nobody has used', async () => {
    const gateway = await startGateway({ targets: [] })
    const socket = connect(gateway.port, '127.0.0.1')
    await once(socket, 'connect')
    const closed = once(socket, 'close')
    const startedAt = performance.now()
    await gateway.close()
    await closed
    // Long before the ten seconds that running calls are given.
    expect(performance.now() - startedAt).toBeLessThan(5_000)
  })

  it('finishes what is running, ends its streams, and exits with 0', async () => {
    let finish: () => void = () => undefined
    const slow: Handler = async (params) => {
      await new Promise<void>((resolve) => (finish = resolve))
      return echo(params, {} as never)
    }
    await using upstream = await startEcho({ handlers: { 'tools/call': slow } })
    await using gateway = await spawnGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    const stream = await session.listen()
    const call = session.call('a__echo', { last: true })
    await waitUntil(() => upstream.asked('tools/call').length === 1, 'the call to arrive')
    const stopped = gateway.stop()
    await stream.ended
    finish()
    expect((await call).json).toMatchObject({ result: { content: [{ text: '{"last":true}' }] } })
    expect(await stopped).toBe(0)
    await waitUntil(() => upstream.sessions === 0, 'the upstream sessions to end')
  })
})

describe('an idle session', () => {
  it('is let go of with its upstream session, and works again with the next call', async () => {
    await using upstream = await startEcho()
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      sessions: { idleTimeout: '100ms' },
    })
    const session = await openSession(gateway.url)
    await session.call('a__echo')
    expect(upstream.sessions).toBe(2)
    await waitUntil(() => upstream.sessions === 1, 'the upstream session to end')
    expect((await session.call('a__echo')).json).toMatchObject({ result: {} })
  })

  it('is not idle while it listens', async () => {
    await using upstream = await startEcho()
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      sessions: { idleTimeout: '100ms' },
    })
    const listening = await openSession(gateway.url)
    const stream = await listening.listen()
    const idle = await openSession(gateway.url)
    await Promise.all([listening.call('a__echo'), idle.call('a__echo')])
    await waitUntil(() => upstream.sessions === 2, 'the idle one alone to be let go of')
    upstream.lists.tools = []
    await upstream.notifyListChanged('tools')
    await stream.next('notifications/tools/list_changed')
    stream.close()
  })

  it('ends for good at its greatest age', async () => {
    await using gateway = await startGateway({ targets: [], sessions: { maxAge: '50ms' } })
    const session = await openSession(gateway.url)
    await waitUntil(async () => (await session.request('ping')).status === 404, 'the end')
  })
})
