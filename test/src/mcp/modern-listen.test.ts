/** What changes while a stream of `subscriptions/listen` begins: docs/reliability.md, "What is bounded". */
import { expect, it } from 'vitest'
import type { Caller, JsonObject } from '../../../backends/index.js'
import { RawJson } from '../../../backends/index.js'
import type { VirtualServer } from '../../../federation/index.js'
import { ModernListen } from '../../../src/mcp/modern-listen.js'
import type { ModernRequest } from '../../../src/mcp/modern-request.js'
import type { ModernResponse } from '../../../src/mcp/modern-response.js'

const object = (value: JsonObject) => RawJson.fromValue<JsonObject>(value)

it('each change is told once, behind the acknowledgement, and 2,000 of them', async () => {
  const told: JsonObject[] = []
  const update = (caller: Caller, count: number): void =>
    caller.notify({
      method: 'notifications/resources/updated',
      params: object({ uri: `file:///${count}` }),
    })
  // Each change comes twice before the server says that it tells of them.
  const server = {
    with: () => server,
    offers: () => true,
    subscribe: async (caller: Caller) => {
      for (let count = 1; count <= 2_500; count++) for (const _ of [1, 2]) update(caller, count)
    },
    unsubscribe: () => Promise.resolve(),
    onListChanged: () => () => undefined,
  } as unknown as VirtualServer
  const listen = new ModernListen(
    server,
    {
      id: 7,
      params: object({ notifications: { resourceSubscriptions: ['file:///1'] } }),
    } as unknown as ModernRequest,
    {
      notify: (text: string) => told.push(JSON.parse(text) as JsonObject),
    } as unknown as ModernResponse,
    { key: 'c' } as Caller,
    undefined,
    () => undefined,
  )
  await listen.start()
  const [first, ...updates] = told
  expect(first?.['method']).toBe('notifications/subscriptions/acknowledged')
  const uris = updates.map(({ params }) => (params as JsonObject)['uri'])
  expect(uris).toEqual(Array.from({ length: 2_000 }, (_, index) => `file:///${index + 1}`))
  listen.stop()
})
