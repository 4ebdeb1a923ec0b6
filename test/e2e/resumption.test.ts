import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { startGateway } from '../support/gateway.js'
import type { Stream } from '../support/raw-client.js'
import { openSession } from '../support/raw-client.js'
import { connectV1 } from '../support/sdk-clients.js'
import type { Handler } from '../support/upstream-server.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

/** A tool that reports one step for each `step()` of the test, then answers at `finish()`. */
async function stepping() {
  const waiting: ((isLast: boolean) => void)[] = []
  const handler: Handler = async (_, { sendNotification, _meta }) => {
    const progressToken = _meta?.progressToken ?? 0
    for (let progress = 1; ; progress++) {
      if (await new Promise<boolean>((resolve) => waiting.push(resolve))) break
      const params = { progressToken, progress }
      await sendNotification({ method: 'notifications/progress', params })
    }
    return { content: [{ type: 'text', text: 'done' }] }
  }
  const go = async (isLast: boolean): Promise<void> => {
    await waitUntil(() => waiting.length > 0, 'the tool to wait')
    waiting.shift()?.(isLast)
  }
  const upstream = await startEcho({ handlers: { 'tools/call': handler } })
  const gateway = await startGateway({ targets: [{ name: 'a', mcp: { url: upstream.url } }] })
  return {
    upstream,
    gateway,
    step: () => go(false),
    finish: () => go(true),
    [Symbol.asyncDispose]: async () => {
      await gateway.close()
      await upstream[Symbol.asyncDispose]()
    },
  }
}

const progress = (stream: Stream): unknown[] =>
  stream.messages.flatMap((it) => (it['params'] as JsonObject | undefined)?.['progress'] ?? [])
const call = { name: 'a__echo', _meta: { progressToken: 't' } }

describe('a client that lost its connection', () => {
  it('gets the rest of its call, in order and once, and nothing of another stream [R54]', async () => {
    await using it = await stepping()
    const session = await openSession(it.gateway.url)
    const general = await session.listen()
    const first = session.begin('tools/call', call)
    await it.step()
    const stream = await first
    await waitUntil(() => progress(stream).length === 1, 'the first step')
    stream.close()
    await it.step()
    await it.upstream.notifyListChanged('tools')
    await it.step()

    const resumed = await session.listen(stream.ids.at(-1))
    await waitUntil(() => progress(resumed).length === 2, 'what was missed')
    await it.step()
    await it.finish()
    await resumed.ended
    expect(progress(resumed)).toEqual([2, 3, 4])
    expect(resumed.messages.at(-1)).toMatchObject({ result: { content: [{ text: 'done' }] } })
    expect(resumed.messages).toHaveLength(4)

    // The end can be missed too.
    const again = await session.listen(resumed.ids.at(-2))
    await again.ended
    expect(again.messages).toEqual([resumed.messages.at(-1)])
    general.close()
  })

  it('gets changed lists that it missed on its general stream', async () => {
    await using it = await stepping()
    const session = await openSession(it.gateway.url)
    const stream = await session.listen()
    await waitUntil(() => stream.ids.length === 1, 'the first id')
    stream.close()
    it.upstream.lists.tools = []
    await it.upstream.notifyListChanged('tools')
    const list = async () => (await session.request('tools/list')).json['result'] as JsonObject
    await waitUntil(async () => (await list())['tools']?.toString() === '', 'the change')
    const resumed = await session.listen(stream.ids.at(-1))
    await resumed.next('notifications/tools/list_changed')
    resumed.close()
  })

  it('is told an id before there is a message from 2025-11-25 on, and not before [R54]', async () => {
    await using it = await stepping()
    const current = await openSession(it.gateway.url)
    const older = await openSession(it.gateway.url, '2025-06-18')
    const [primed, plain] = [await current.listen(), await older.listen()]
    await waitUntil(() => primed.ids.length === 1, 'the first id')
    it.upstream.lists.tools = []
    await it.upstream.notifyListChanged('tools')
    await Promise.all([primed, plain].map((it) => it.next('notifications/tools/list_changed')))
    expect([primed.ids.length, plain.ids.length]).toEqual([2, 1])
    expect(new Set([...primed.ids, ...plain.ids]).size).toBe(3)
    primed.close()
    plain.close()
  })

  it('gets nothing for an id that is not of this session', async () => {
    await using it = await stepping()
    const session = await openSession(it.gateway.url)
    const other = await openSession(it.gateway.url)
    const first = session.begin('tools/call', call)
    await it.step()
    const stream = await first
    await waitUntil(() => progress(stream).length === 1, 'the first step')
    for (const id of [stream.ids.at(0) ?? '', 'x', '1.1', '../../x']) {
      const thief = await other.listen(id)
      expect(thief.status).toBe(200)
      await it.step()
      await waitUntil(() => progress(stream).length > 1, 'the next step')
      expect(progress(thief)).toEqual([])
      thief.close()
    }
    await it.finish()
    await stream.ended
  })

  it('of the SDK goes on by itself and loses nothing', async () => {
    await using it = await stepping()
    const sockets = new Set<Socket>()
    const proxy = createServer((socket) => {
      const onward = connect(it.gateway.port, '127.0.0.1')
      for (const end of [socket, onward]) {
        sockets.add(end)
        end.on('error', () => undefined)
      }
      socket.pipe(onward).pipe(socket)
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    const { port } = proxy.address() as AddressInfo
    await using client = await connectV1(`http://127.0.0.1:${port}/mcp`)
    const seen: number[] = []
    const called = client.callTool({ name: 'a__echo' }, undefined, {
      onprogress: (it) => seen.push(it.progress),
    })
    await it.step()
    await waitUntil(() => seen.length === 1, 'the first step')
    for (const socket of sockets) socket.destroy()
    await it.step()
    await it.step()
    await it.finish()
    expect((await called).content).toEqual([{ type: 'text', text: 'done' }])
    expect(seen).toEqual([1, 2, 3])
    proxy.close()
    for (const socket of sockets) socket.destroy()
  })
})
