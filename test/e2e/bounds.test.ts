/** Bounds that nothing else runs into: the table "What is bounded" of docs/reliability.md names the tests of each. */
import { expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { spawnGateway, spawnGatewayIn, startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import { startHostile } from '../support/raw-http-server.js'
import type { Stream } from '../support/raw-client.js'
import { follow, openSession } from '../support/raw-client.js'
import type { Handler } from '../support/upstream-server.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const event = (message: JsonObject): string =>
  `data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`
const gatewayTo = (url: string) =>
  startGateway({ targets: [{ name: 'a', mcp: { url } }], admin: { port: 0 } })

it('a call whose server asks and asks has 32 questions open, and the server hears so', async () => {
  await using server = await startHostile((message, response) => {
    if (message['method'] === undefined) return void response.writeHead(202).end()
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const params = { message: '?', requestedSchema: { type: 'object', properties: {} } }
    for (let id = 1; id <= 33; id++) {
      response.write(event({ id, method: 'elicitation/create', params }))
    }
  })
  await using gateway = await gatewayTo(server.url)
  const session = await openSession(gateway.url, undefined, { elicitation: {} })
  const running = await session.begin('tools/call', { name: 'a__bad', arguments: {} })
  const refusals = () => server.bodies.filter((it) => it.includes('"error"'))
  await waitUntil(() => refusals().length === 1, 'the last question to be refused')
  expect(JSON.parse(refusals()[0] ?? '')).toMatchObject({ id: 33, error: { code: -32600 } })
  expect(running.messages.filter((it) => it['method'] === 'elicitation/create')).toHaveLength(32)
  running.close()
})

it('a stream keeps its last 256 events for whoever comes back', async () => {
  await using server = await startHostile(({ id, params }, response) => {
    const { progressToken } = (params as JsonObject)['_meta'] as JsonObject
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (let progress = 1; progress <= 400; progress++) {
      const told = { progressToken, progress } as JsonObject
      response.write(event({ method: 'notifications/progress', params: told }))
    }
    response.end(event({ id: id ?? null, result: { content: [] } }))
  })
  await using gateway = await gatewayTo(server.url)
  const session = await openSession(gateway.url)
  const _meta = { progressToken: 'p' }
  const first = await session.begin('tools/call', { name: 'a__bad', arguments: {}, _meta })
  await first.ended
  expect(first.messages).toHaveLength(401)
  const again = await session.listen(first.ids[0])
  await again.ended
  expect(again.messages).toEqual(first.messages.slice(-256))
})

it('all streams together keep a sixteenth of the heap; whose answer is forgotten reads an error', async () => {
  const finish: (() => void)[] = []
  const large: Handler = async (_, { sendNotification, _meta }) => {
    const params = { progressToken: _meta?.progressToken ?? 0, progress: 1 }
    await sendNotification({ method: 'notifications/progress', params })
    await new Promise<void>((resolve) => finish.push(resolve))
    return { content: [{ type: 'text', text: 'x'.repeat(900_000) }] }
  }
  await using upstream = await startEcho({ handlers: { 'tools/call': large } })
  const env = { NODE_OPTIONS: '--max-old-space-size=128' }
  const targets = [{ name: 'a', mcp: { url: upstream.url } }]
  await using gateway = await spawnGatewayIn({ env }, { targets })
  const left = []
  for (let calls = 0; calls < 24; calls++) {
    const session = await openSession(gateway.url)
    const stream = await session.begin('tools/call', {
      name: 'a__echo',
      _meta: { progressToken: 1 },
    })
    await stream.next('notifications/progress')
    stream.close()
    finish.pop()?.()
    // It has come when the rest of it can be had.
    const rest = await session.listen(stream.ids.at(-1))
    await rest.ended
    expect(rest.messages).toMatchObject([{ result: {} }])
    left.push({ session, id: stream.ids.at(-1) })
  }
  const [first, last] = await Promise.all(
    [left[0], left.at(-1)].map(async (it) => {
      const stream = await it?.session.listen(it.id)
      await stream?.ended
      return stream?.messages
    }),
  )
  expect(first).toMatchObject([{ error: { code: -32603 } }])
  expect(last).toMatchObject([{ result: {} }])
})

it('a stream of subscriptions/listen follows a thousand resources', async () => {
  await using upstream = await startEcho()
  await using gateway = await gatewayTo(upstream.url)
  const resourceSubscriptions = Array.from({ length: 1_001 }, (_, index) => `demo://${index}`)
  const params = { notifications: { resourceSubscriptions } }
  const { json } = await new ModernClient(gateway.url).request('subscriptions/listen', params)
  expect(json).toMatchObject({ error: { code: -32602 } })
})

it('32 pages watch what happens', async () => {
  await using upstream = await startEcho()
  await using gateway = await gatewayTo(upstream.url)
  const watch = (): Promise<Stream> =>
    follow('GET', `${gateway.adminUrl}/api/v1/events`, undefined, { accept: 'text/event-stream' })
  const watching = await Promise.all(Array.from({ length: 32 }, watch))
  expect(watching.map(({ status }) => status)).toEqual(Array.from({ length: 32 }, () => 200))
  expect((await watch()).status).toBe(503)
  for (const it of watching) it.close()
})

it('a server that asks faster than it takes answers has 256 of them on their way', async () => {
  let untaken = 0
  await using server = await startHostile((message, response) => {
    // Never answered: so it is not taken.
    if (message['method'] === undefined) return void untaken++
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (let id = 1; id <= 300; id++) response.write(event({ id, method: 'ping' }))
  })
  await using gateway = await spawnGateway({ targets: [{ name: 'a', mcp: { url: server.url } }] })
  const session = await openSession(gateway.url)
  const running = await session.begin('tools/call', { name: 'a__bad', arguments: {} })
  const dropped = () =>
    gateway.log.filter((it) => it['what'] === 'it asks faster than it takes answers')
  await waitUntil(() => dropped().length > 0, 'an answer to be dropped')
  await waitUntil(() => untaken === 256, 'the others to arrive')
  running.close()
})
