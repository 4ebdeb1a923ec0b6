/** What is begun at one of two gateways and goes on at the other, which it has no way to: docs/reliability.md, "Replicas". */
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as TransportV2,
} from '@modelcontextprotocol/client'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { ACCEPT, asking, ELICITS, question, requestedSchema } from '../support/asking.js'
import { childServer } from '../support/child-server.js'
import { ModernClient } from '../support/modern-client.js'
import { startModern } from '../support/modern-upstream.js'
import type { RawSession, Stream } from '../support/raw-client.js'
import { initializeRequest, openSession, post } from '../support/raw-client.js'
import { startReplicas, startTwo } from '../support/replicas.js'
import type { Handler } from '../support/upstream-server.js'
import { startEcho, startUpstream } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

/** They cannot reach each other. */
const APART = { sessions: { peers: false } }
const last = (stream: Stream): JsonObject | undefined => stream.messages.at(-1)

/** Reports one step, and the next when the test says so; then it is done. */
function steps() {
  let go: () => void = () => undefined
  const handler: Handler = async (_, { sendNotification, _meta, signal }) => {
    for (let progress = 1; progress <= 2; progress++) {
      const params = { progressToken: _meta?.progressToken ?? 0, progress }
      await sendNotification({ method: 'notifications/progress', params })
      await new Promise<void>((resolve) => (go = resolve))
    }
    return { content: [{ type: 'text', text: signal.aborted ? 'cancelled' : 'done' }] }
  }
  return { handler, go: () => go() }
}
const progressing = { name: 'a__echo', _meta: { progressToken: 't' } }
const begin = async (session: RawSession): Promise<Stream> => {
  const stream = await session.begin('tools/call', progressing)
  await stream.next('notifications/progress')
  return stream
}

describe('at another replica, a session of the older era', () => {
  it('can be used, and its general stream opened, for it carries what it needs in its id', async () => {
    await using upstream = await startEcho()
    await using it = await startTwo({ targets: [{ name: 'a', mcp: { url: upstream.url } }] })
    const session = await openSession(it.here)
    const moved = session.at(it.there)
    const stream = await moved.listen()
    expect((await session.call('a__echo', { n: 1 })).status).toBe(200)
    expect((await moved.call('a__echo', { n: 2 })).text).toContain('{\\"n\\":2}')
    upstream.lists.tools = []
    await upstream.notifyListChanged('tools')
    await stream.next('notifications/tools/list_changed')
    stream.close()
  })

  it('is told that every list may have changed, when its general stream goes on there', async () => {
    await using upstream = await startEcho({ prompts: [{ name: 'p' }] })
    await using it = await startTwo({
      ...APART,
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(it.here)
    const first = await session.listen()
    await waitUntil(() => first.ids.length === 1, 'the first id')
    first.close()
    const next = await session.at(it.there).listen(first.ids.at(-1))
    await waitUntil(() => next.messages.length === 2, 'both lists')
    expect(next.messages.map((it) => it['method'])).toEqual([
      'notifications/tools/list_changed',
      'notifications/prompts/list_changed',
    ])
    next.close()
  })

  it('is ended where it is deleted, and is not brought back there', async () => {
    await using it = await startTwo({ targets: [] })
    const session = await openSession(it.here)
    const moved = session.at(it.there)
    expect((await moved.delete()).status).toBe(204)
    expect((await moved.request('ping')).status).toBe(404)
  })
})

describe('a client of 2024-11-05', () => {
  it('is its stream, and reads 404 at a replica that does not hold that', async () => {
    await using it = await startTwo({ ...APART, targets: [], listen: { legacySse: true } })
    const cut = new AbortController()
    const stream = await fetch(it.here.replace('/mcp', '/sse'), { signal: cut.signal })
    const first = await stream.body?.getReader().read()
    const [, address = ''] = /data: (\S+)/.exec(new TextDecoder().decode(first?.value)) ?? []
    const status = async (base: string) =>
      (await post(new URL(address, base).href, initializeRequest())).status
    expect([await status(it.there), await status(it.here)]).toEqual([404, 202])
    cut.abort()
  })
})

describe('the rest of a call’s stream', () => {
  it('is looked for by the client, which is sent on until it comes to the replica that has it', async () => {
    const { handler, go } = steps()
    await using upstream = await startEcho({ handlers: { 'tools/call': handler } })
    await using it = await startTwo({
      ...APART,
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(it.here)
    const stream = await begin(session)
    stream.close()
    const elsewhere = await session.at(it.there).listen(stream.ids.at(-1))
    await elsewhere.ended
    expect(elsewhere.messages).toEqual([])
    const again = await session.at(it.there).listen(elsewhere.ids.at(-1))
    await again.ended
    const back = await session.listen(again.ids.at(-1))
    go()
    await back.next('notifications/progress')
    go()
    await back.ended
    expect(back.messages).toMatchObject([{ params: { progress: 2 } }, { result: {} }])
  })

  it('that no replica has is given up with an error of that call, as soon as a client is too old to be sent on', async () => {
    const { handler } = steps()
    await using upstream = await startEcho({ handlers: { 'tools/call': handler } })
    await using it = await startTwo({
      ...APART,
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    for (const [version, most] of [
      ['2025-11-25', 16],
      ['2025-06-18', 0],
    ] as const) {
      const session = await openSession(it.here, version)
      const stream = await begin(session)
      stream.close()
      const { id } = (await session.request('ping')).json
      const moved = session.at(it.there)
      let next = await moved.listen(stream.ids.at(-1))
      let times = 0
      for (await next.ended; next.messages.length === 0; await next.ended) {
        next = await moved.listen(next.ids.at(-1))
        times++
      }
      expect(times).toBe(most)
      expect(next.messages).toMatchObject([{ id: Number(id) - 1, error: { code: -32603 } }])
    }
  })

  it('and calls that cannot be named any more end the session: a client has to begin anew', async () => {
    const { handler } = steps()
    await using upstream = await startEcho({ handlers: { 'tools/call': handler } })
    await using it = await startTwo({
      ...APART,
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(it.here)
    const stream = await begin(session)
    stream.close()
    const [id = ''] = stream.ids
    const unnamed = id.replace(/\.[^.]+\./, '.x.')
    const answer = await session.at(it.there).listen(`${unnamed}~16`)
    expect(answer.status).toBe(404)
    answer.close()
  })
})

describe('what a server asks of a client', () => {
  it('over HTTP is answered, and progress with it told, at another replica', async () => {
    await using upstream = await startEcho({ handlers: { 'tools/call': asking } })
    await using it = await startTwo({ targets: [{ name: 'a', mcp: { url: upstream.url } }] })
    const session = await openSession(it.here, undefined, ELICITS)
    const running = await session.begin('tools/call', { name: 'a__echo', arguments: { n: 1 } })
    await running.next('elicitation/create')
    const moved = session.at(it.there)
    const progress = { progressToken: question(running), progress: 1 }
    await moved.notify('notifications/progress', progress)
    await waitUntil(() => upstream.asked('notifications/progress').length === 1, 'the progress')
    expect((await moved.answer(question(running), ACCEPT)).status).toBe(202)
    await running.ended
    expect(JSON.stringify(last(running))).toContain('accept')
  })

  it('in a child process cannot be: the answer is refused, and reaches no other child with a question of that id', async () => {
    await using it = await startTwo({
      ...APART,
      targets: [{ name: 'a', stdio: childServer('asking') }],
    })
    const mine = await openSession(it.here, undefined, ELICITS)
    const yours = await openSession(it.there, undefined, ELICITS)
    const [myCall, yourCall] = await Promise.all(
      [mine, yours].map((session) => session.begin('tools/call', { name: 'a__ask' })),
    )
    if (myCall === undefined || yourCall === undefined) throw new TypeError('both were begun')
    await Promise.all([myCall, yourCall].map((it) => it.next('elicitation/create')))
    const refused = await mine
      .at(it.there)
      .answer(question(myCall), { action: 'accept', content: { whose: 'mine' } })
    expect(refused.status).toBe(503)
    expect(refused.headers['retry-after']).toBe('0')
    await yours.answer(question(yourCall), { action: 'accept', content: { whose: 'yours' } })
    await yourCall.ended
    expect(JSON.stringify(last(yourCall))).toContain('yours')
    await mine.answer(question(myCall), { action: 'accept', content: { whose: 'mine' } })
    await myCall.ended
    expect(JSON.stringify(last(myCall))).toContain('mine')
  })

  it('of the newer era cannot be by an older client: the answer is refused, and can be sent again', async () => {
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
    await using it = await startTwo({
      ...APART,
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(it.here, undefined, ELICITS)
    const running = await session.begin('tools/call', { name: 'a__echo' })
    await running.next('elicitation/create')
    expect((await session.at(it.there).answer(question(running), ACCEPT)).status).toBe(503)
    expect((await session.answer(question(running), ACCEPT)).status).toBe(202)
    await running.ended
    expect(JSON.stringify(last(running))).toContain('accept')
  })
})

describe('what is said of a call at another replica than its own', () => {
  it('is taken, and does nothing: a cancelled call goes on to its end', async () => {
    const { handler, go } = steps()
    await using upstream = await startEcho({ handlers: { 'tools/call': handler } })
    await using it = await startTwo({
      ...APART,
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(it.here)
    const stream = await begin(session)
    const { id } = (await session.request('ping')).json
    const cancelled = { requestId: Number(id) - 1 }
    const { status } = await session.at(it.there).notify('notifications/cancelled', cancelled)
    expect(status).toBe(202)
    go()
    await waitUntil(() => stream.messages.length === 2, 'the next step')
    go()
    await stream.ended
    expect(JSON.stringify(last(stream))).toContain('done')
  })
})

describe('changes of a resource', () => {
  it('are told where the session listens, if it is followed there too; each replica follows for itself', async () => {
    await using upstream = await startUpstream({
      resources: [{ uri: 'demo://doc', name: 'doc' }],
      capabilities: { resources: { subscribe: true } },
      handlers: { 'resources/subscribe': () => ({}) },
    })
    await using it = await startTwo({
      ...APART,
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(it.here)
    const stream = await session.listen()
    const follow = { uri: 'demo://doc' }
    expect((await session.at(it.there).request('resources/subscribe', follow)).status).toBe(200)
    expect((await session.request('resources/subscribe', follow)).status).toBe(200)
    await upstream.notifyUpdated('demo://doc')
    await stream.next('notifications/resources/updated')
    expect(stream.messages).toHaveLength(1)
    stream.close()
  })
})

describe('what a stateful server keeps in a session', () => {
  async function counting() {
    const counts = new Map<string | undefined, number>()
    const upstream = await startEcho({
      handlers: {
        'tools/call': async ({ arguments: given }, { sessionId }) => {
          const count = (counts.get(sessionId) ?? 0) + 1
          counts.set(sessionId, count)
          await new Promise((resolve) => setImmediate(resolve))
          return { content: [{ type: 'text', text: JSON.stringify({ count, given }) }] }
        },
      },
    })
    const it = await startTwo({
      targets: [{ name: 'a', mcp: { url: upstream.url }, stateful: true }],
    })
    const count = async (session: RawSession): Promise<unknown> => {
      const { json } = await session.call('a__echo')
      const { content } = json['result'] as { content: [{ text: string }] }
      return (JSON.parse(content[0].text) as { count: number }).count
    }
    return {
      ...it,
      upstream,
      count,
      [Symbol.asyncDispose]: async () => {
        await it[Symbol.asyncDispose]()
        await upstream[Symbol.asyncDispose]()
      },
    }
  }

  it('is there at every replica, and of no other client’s; it ends with the session and not with a replica', async () => {
    await using it = await counting()
    const session = await openSession(it.here)
    const moved = session.at(it.there)
    expect([await it.count(session), await it.count(moved), await it.count(session)]).toEqual([
      1, 2, 3,
    ])
    expect(await it.count(await openSession(it.there))).toBe(1)
    expect(it.upstream.sessions).toBe(4)
    await it.gateways[0]?.close()
    expect(await it.count(moved)).toBe(4)
    await moved.delete()
    await waitUntil(() => it.upstream.sessions === 2, 'the session to end')
  })

  it('is used from both at once, and each call gets its own answer', async () => {
    await using it = await counting()
    const session = await openSession(it.here)
    const moved = session.at(it.there)
    const calls = Array.from({ length: 40 }, async (_, mark) => {
      const { text } = await (mark % 2 === 0 ? session : moved).call('a__echo', { mark })
      expect(text).toContain(`\\"mark\\":${mark}}`)
    })
    await Promise.all(calls)
    expect(await it.count(moved)).toBe(41)
  })

  it('is lost with the server: the client reads 404 wherever it calls, and begins anew', async () => {
    await using it = await counting()
    const session = await openSession(it.here)
    expect(await it.count(session)).toBe(1)
    await it.upstream.kill()
    await it.upstream.start()
    const back = () => it.gateways.every((gateway) => gateway.readiness().targets[0]?.ready)
    await waitUntil(back, 'the server to be back')
    for (const url of it.urls) {
      const { status, json } = await session.at(url).call('a__echo')
      expect(status).toBe(404)
      expect(json).toMatchObject({ error: { data: { target: 'a', reason: 'session-lost' } } })
    }
    expect(await it.count(await openSession(it.there))).toBe(1)
  })
})

describe('a task', () => {
  it('is asked about, and its result fetched, at another replica, of servers that know tasks by id alone', async () => {
    const task = { taskId: 't1', status: 'completed', ttl: 60_000, createdAt: 'c' }
    await using upstream = await startUpstream({
      tools: [{ name: 'dig', inputSchema: { type: 'object' } }],
      capabilities: { tasks: { cancel: {}, requests: { tools: { call: {} } } } },
      handlers: {
        'tools/call': () => ({ task }),
        'tasks/get': () => task,
        'tasks/result': () => ({ content: [{ type: 'text', text: 'found' }] }),
      },
    })
    await using it = await startTwo({ targets: [{ name: 'a', mcp: { url: upstream.url } }] })
    const session = await openSession(it.here)
    const made = await session.request('tools/call', { name: 'a__dig', task: {} })
    const { taskId } = (made.json['result'] as { task: { taskId: string } }).task
    const moved = session.at(it.there)
    expect((await moved.request('tasks/get', { taskId })).json).toMatchObject({
      result: { taskId, status: 'completed' },
    })
    expect((await moved.request('tasks/result', { taskId })).text).toContain('found')
    expect(upstream.asked('tasks/get').map((it) => it.params)).toEqual([{ taskId: 't1' }])
  })
})

describe('at another replica, a client of 2026-07-28', () => {
  it('goes on with a call that needed input, and listens', async () => {
    await using upstream = await startModern({
      handlers: {
        'tools/call': ({ params }) =>
          params['requestState'] === 'inner'
            ? { content: [{ type: 'text', text: JSON.stringify(params['inputResponses']) }] }
            : {
                resultType: 'input_required',
                inputRequests: {
                  q: { method: 'elicitation/create', params: { message: 'Who?', requestedSchema } },
                },
                requestState: 'inner',
              },
      },
    })
    await using it = await startTwo({ targets: [{ name: 'a', mcp: { url: upstream.url } }] })
    const options = { capabilities: ELICITS }
    const first = await new ModernClient(it.here).call('a__echo', {}, options)
    const { requestState = null } = first.json['result'] as JsonObject
    const there = new ModernClient(it.there)
    const params = { name: 'a__echo', arguments: {}, requestState, inputResponses: { q: ACCEPT } }
    const done = await there.request('tools/call', params, options)
    expect(done.text).toContain('accept')
    const notifications = { toolsListChanged: true }
    const stream = await there.begin('subscriptions/listen', { notifications })
    await stream.next('notifications/subscriptions/acknowledged')
    upstream.tools = []
    upstream.tell('notifications/tools/list_changed')
    await stream.next('notifications/tools/list_changed')
    stream.close()
  })

  it('whose call is parked reads that it must call again', async () => {
    await using upstream = await startEcho({ handlers: { 'tools/call': asking } })
    const targets = [{ name: 'a', mcp: { url: upstream.url }, parkCalls: true }]
    await using it = await startTwo({ ...APART, targets })
    const options = { capabilities: ELICITS }
    const first = await new ModernClient(it.here).call('a__echo', {}, options)
    const { requestState = null } = first.json['result'] as JsonObject
    const params = { name: 'a__echo', arguments: {}, requestState, inputResponses: { q1: ACCEPT } }
    const answer = await new ModernClient(it.there).request('tools/call', params, options)
    expect(answer.json).toMatchObject({ error: { code: -32602 } })
  })
})

describe('clients of the SDKs behind three replicas in turns', () => {
  /** Each request goes to the next. */
  const inTurns = (urls: readonly string[]) => {
    let next = 0
    return (_: string | URL, init?: RequestInit) => fetch(urls[next++ % urls.length] ?? '', init)
  }

  it('of the older era get every answer, those to questions included', async () => {
    await using upstream = await startEcho({ handlers: { 'tools/call': asking } })
    const targets = [{ name: 'a', mcp: { url: upstream.url } }]
    await using it = await startReplicas(3, { targets })
    const client = new Client({ name: 'c', version: '1' }, { capabilities: { elicitation: {} } })
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => ({
      action: 'accept' as const,
      content: { echoed: params.message },
    }))
    const transport = new StreamableHTTPClientTransport(new URL(it.urls[0] ?? ''), {
      fetch: inTurns(it.urls),
    })
    await client.connect(transport)
    const calls = Array.from({ length: 30 }, async (_, mark) => {
      const { content } = await client.callTool({ name: 'a__echo', arguments: { mark } })
      expect(JSON.stringify(content)).toMatch(new RegExp(`mark\\\\+":${mark}}`))
    })
    await Promise.all(calls)
    await client.close()
  })

  it('of the older era find the rest of a broken stream by themselves', async () => {
    const { handler, go } = steps()
    await using upstream = await startEcho({ handlers: { 'tools/call': handler } })
    const targets = [{ name: 'a', mcp: { url: upstream.url } }]
    await using it = await startReplicas(3, { targets })
    const client = new Client({ name: 'c', version: '1' })
    const turns = inTurns(it.urls)
    let resumptions = 0
    const cutting = async (url: string | URL, init?: RequestInit): Promise<Response> => {
      if (new Headers(init?.headers).has('last-event-id')) resumptions++
      const response = await turns(url, init)
      const isCall = typeof init?.body === 'string' && init.body.includes('tools/call')
      const reader = isCall ? response.body?.getReader() : undefined
      if (reader === undefined) return response
      const broken = new ReadableStream<Uint8Array>({
        async start(controller) {
          const { value } = await reader.read()
          controller.enqueue(value as Uint8Array)
          // What has been given is read first.
          setImmediate(() => controller.error(new Error('cut')))
        },
      })
      return new Response(broken, response)
    }
    const transport = new StreamableHTTPClientTransport(new URL(it.urls[0] ?? ''), {
      fetch: cutting,
    })
    await client.connect(transport)
    const seen: number[] = []
    const called = client.callTool({ name: 'a__echo' }, undefined, {
      onprogress: ({ progress }) => seen.push(progress),
    })
    await waitUntil(() => resumptions > 0, 'the client to come back')
    go()
    await waitUntil(() => seen.includes(2), 'the second step')
    go()
    expect((await called).content).toEqual([{ type: 'text', text: 'done' }])
    expect(seen).toEqual([1, 2])
    await client.close()
  })

  it('of the newer era get every answer', async () => {
    await using upstream = await startEcho()
    await using it = await startReplicas(3, {
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const client = new ClientV2(
      { name: 'c', version: '1' },
      { versionNegotiation: { mode: 'auto' } },
    )
    await client.connect(new TransportV2(new URL(it.urls[0] ?? ''), { fetch: inTurns(it.urls) }))
    const calls = Array.from({ length: 30 }, async (_, mark) => {
      const { content } = await client.callTool({ name: 'a__echo', arguments: { mark } })
      expect(content).toEqual([{ type: 'text', text: JSON.stringify({ mark }) }])
    })
    await Promise.all(calls)
    await client.close()
  })
})
