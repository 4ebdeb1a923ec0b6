import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { startGateway } from '../support/gateway.js'
import type { RawSession } from '../support/raw-client.js'
import { openSession } from '../support/raw-client.js'
import type { Handler } from '../support/upstream-server.js'
import { answerJson, startRawHttp } from '../support/raw-http-server.js'
import { startEcho, startUpstream } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const tool = (name: string) => ({ name, inputSchema: { type: 'object' } })
const TOOLS_CHANGED = 'notifications/tools/list_changed'

async function list(session: RawSession): Promise<{ names: string[]; unavailable: JsonObject[] }> {
  const { json } = await session.request('tools/list')
  const { tools, _meta } = json['result'] as { tools: { name: string }[]; _meta?: JsonObject }
  const unavailable = (_meta?.['mcp-junction.dev/unavailable'] ?? []) as JsonObject[]
  return { names: tools.map((it) => it.name), unavailable }
}

describe('the catalog', () => {
  it('follows list_changed, and tells every client once, on one of its streams [R53]', async () => {
    await using upstream = await startEcho()
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    const other = await openSession(gateway.url)
    const alone = await openSession(`${gateway.url}/a`)
    const streams = await Promise.all([session, session, other, alone].map((it) => it.listen()))

    upstream.lists.tools = [tool('echo'), tool('new')]
    await upstream.notifyListChanged('tools')
    const told = (index: number) => streams[index]?.messages.map((it) => it['method']) ?? []
    await waitUntil(() => told(2).length + told(3).length === 2, 'both to be told')
    await waitUntil(
      () => told(0).length + told(1).length === 1,
      'one stream of the first to be told',
    )
    expect(told(2)).toEqual([TOOLS_CHANGED])
    expect((await list(session)).names).toEqual(['a__echo', 'a__new'])
    expect((await list(alone)).names).toEqual(['echo', 'new'])
    expect((await session.call('a__new')).json).toMatchObject({ result: {} })
    upstream.lists.tools = [tool('new')]
    await upstream.notifyListChanged('tools')
    await waitUntil(async () => (await list(session)).names.length === 1, 'the tool to be gone')
    expect((await session.call('a__echo')).json).toMatchObject({ error: { code: -32602 } })
    for (const stream of streams) stream.close()
  })

  it('says nothing to clients whose lists are as before', async () => {
    await using upstream = await startEcho({ prompts: [{ name: 'p' }] })
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url }, exclude: ['hidden'] }],
    })
    const session = await openSession(gateway.url)
    const stream = await session.listen()
    upstream.lists.tools = [tool('echo'), tool('hidden')]
    const asked = upstream.asked('tools/list').length
    await upstream.notifyListChanged('tools')
    await waitUntil(() => upstream.asked('tools/list').length > asked, 'the list to be read')
    upstream.lists.prompts = [{ name: 'q' }]
    await upstream.notifyListChanged('prompts')
    await stream.next('notifications/prompts/list_changed')
    expect(stream.messages.map((it) => it['method'])).toEqual([
      'notifications/prompts/list_changed',
    ])
    stream.close()
  })

  it('reads a burst of changes as one', async () => {
    await using upstream = await startEcho()
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    const before = upstream.asked('tools/list').length
    for (let index = 0; index < 50; index++) {
      upstream.lists.tools = [tool(`t${index}`)]
      await upstream.notifyListChanged('tools')
    }
    await waitUntil(async () => (await list(session)).names.includes('a__t49'), 'the last change')
    expect(upstream.asked('tools/list').length - before).toBeLessThan(25)
  })

  it('catches up with what changed while a stream was broken', async () => {
    await using upstream = await startEcho()
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    const stream = await session.listen()
    upstream.lists.tools = [tool('silently-added')]
    upstream.cutStreams()
    await stream.next(TOOLS_CHANGED)
    expect((await list(session)).names).toEqual(['a__silently-added'])
    stream.close()
  })

  it.each([405, 404, 400, 500])(
    'does without the stream of a server that answers GET with %i',
    async (status) => {
      let listed = 0
      await using server = await startRawHttp((message, response, request) => {
        if (request.method !== 'POST') return void response.writeHead(status).end()
        response.setHeader('mcp-session-id', 's')
        switch (message['method']) {
          case 'initialize':
            return answerJson(response, message, {
              protocolVersion: '2025-06-18',
              capabilities: { tools: {} },
              serverInfo: {},
            })
          case 'tools/list':
            listed++
            return answerJson(response, message, { tools: [tool('t')] })
          default:
            response.writeHead(202).end()
        }
      })
      await using gateway = await startGateway({
        targets: [{ name: 'a', mcp: { url: server.url } }],
      })
      const session = await openSession(gateway.url)
      expect(await list(session)).toEqual({ names: ['a__t'], unavailable: [] })
      expect(listed).toBe(1)
    },
  )

  it('holds every page, an empty cursor included [R42][R41]', async () => {
    const pages: Readonly<Record<string, JsonObject>> = {
      first: { tools: [tool('one')], nextCursor: '' },
      '': { tools: [tool('two')], nextCursor: 'x' },
      x: { tools: [tool('three')] },
    }
    await using upstream = await startEcho({
      handlers: { 'tools/list': ({ cursor }) => pages[String(cursor ?? 'first')] ?? {} },
    })
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    expect((await list(session)).names).toEqual(['a__one', 'a__two', 'a__three'])
  })

  it('does not believe a list without end, nor half of one, and keeps the last good one', async () => {
    let broken: Handler | undefined
    await using upstream = await startEcho({
      handlers: {
        'tools/list': (params, extra) => broken?.(params, extra) ?? { tools: [tool('good')] },
      },
    })
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    const stream = await session.listen()
    for (const [reason, handler] of [
      ['a cursor came twice', () => ({ tools: [tool('x')], nextCursor: 'same' })],
      ['no array', () => ({ tools: 'none' })],
      [
        'second page',
        ({ cursor }: JsonObject) => {
          if (cursor !== undefined) throw new Error('second page')
          return { tools: [tool('x')], nextCursor: '2' }
        },
      ],
    ] as const) {
      broken = handler
      await upstream.notifyListChanged('tools')
      await waitUntil(
        async () => String((await list(session)).unavailable[0]?.['reason']).includes(reason),
        `"${reason}" to be reported`,
      )
      expect((await list(session)).names).toEqual(['a__good'])
    }
    broken = undefined
    await upstream.notifyListChanged('tools')
    await waitUntil(async () => (await list(session)).unavailable.length === 0, 'recovery')
    expect(stream.messages).toEqual([])
    stream.close()
  })

  it('leaves out items without a name, and second ones of a name', async () => {
    await using upstream = await startEcho({
      tools: [tool('a'), { title: 'nameless' }, { name: 7 }, tool('a'), tool('b')],
    })
    await using gateway = await startGateway({
      targets: [{ name: 't', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    expect((await list(session)).names).toEqual(['t__a', 't__b'])
  })

  it('is the same for all sessions, however often it is asked for [R26][R27]', async () => {
    await using many = await startUpstream({ tools: ['z', 'a', 'm'].map(tool) })
    await using gateway = await startGateway({ targets: [{ name: 't', mcp: { url: many.url } }] })
    const texts = new Set<string>()
    for (let index = 0; index < 5; index++) {
      const session = await openSession(gateway.url)
      texts.add((await session.request('tools/list')).text)
    }
    expect(texts.size).toBe(1)
  })

  it('keeps what a lost server had, says that it is old, and is current again when it is back', async () => {
    await using upstream = await startEcho()
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    const stream = await session.listen()
    await upstream.kill()
    await waitUntil(async () => (await list(session)).unavailable.length === 1, 'the loss to show')
    expect((await list(session)).names).toEqual(['a__echo'])
    upstream.lists.tools = [tool('echo'), tool('new')]
    await upstream.start()
    await stream.next(TOOLS_CHANGED)
    expect(await list(session)).toEqual({ names: ['a__echo', 'a__new'], unavailable: [] })
    stream.close()
  })
})
