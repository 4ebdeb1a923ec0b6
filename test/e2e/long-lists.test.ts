import { expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import { openSession } from '../support/raw-client.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

/** Long enough to be kept as bytes, and not of ASCII alone. */
const tools = (edition: string): JsonObject[] =>
  Array.from({ length: 300 }, (_, index) => ({
    name: `tool-${index}`,
    description: `Größe № ${index}, „${edition}“ 🙂 `.repeat(5),
    inputSchema: { type: 'object' },
  }))
const exposed = (edition: string) =>
  tools(edition).map((it) => ({ ...it, name: `a__${String(it['name'])}` }))

it('serves long lists to clients of both eras, whole, and anew when they change', async () => {
  await using upstream = await startEcho({ tools: tools('first') })
  await using gateway = await startGateway({
    targets: [
      { name: 'a', mcp: { url: upstream.url } },
      { name: 'away', mcp: { url: 'http://127.0.0.1:1/mcp' } },
    ],
  })
  const session = await openSession(gateway.url)
  const client = new ModernClient(gateway.url)
  const legacy = async () => (await session.request('tools/list')).json['result'] as JsonObject
  const modern = async () => (await client.request('tools/list')).json['result'] as JsonObject

  for (const list of [legacy, legacy, modern, modern]) {
    const { tools: listed, _meta: meta } = await list()
    expect(listed).toEqual(exposed('first'))
    expect(meta).toMatchObject({ 'mcp-junction.dev/unavailable': [{ target: 'away' }] })
  }
  expect(await modern()).toMatchObject({ resultType: 'complete', ttlMs: 0, cacheScope: 'private' })

  upstream.lists.tools = tools('second')
  await upstream.notifyListChanged('tools')
  const isNew = async () => JSON.stringify((await legacy())['tools']).includes('second')
  await waitUntil(isNew, 'the other list')
  expect((await legacy())['tools']).toEqual(exposed('second'))
  expect((await modern())['tools']).toEqual(exposed('second'))
})
