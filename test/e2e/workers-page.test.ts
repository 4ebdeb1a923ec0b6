/** The admin API, and with it the page, of a gateway of two processes: one gateway's. */
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import type { SpawnedGateway } from '../support/gateway.js'
import { follow, get, openSession } from '../support/raw-client.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'
import { adminUrl, APART, BOTH, numbers, pidOf, pids, ready, spawnTwo } from '../support/workers.js'

const api = async (gateway: SpawnedGateway, name: string, headers = {}) =>
  (await get(`${adminUrl(gateway)}/api/v1/${name}`, headers)).json
const listOf = async (gateway: SpawnedGateway, name: string) =>
  (await api(gateway, name))[name] as unknown as readonly JsonObject[]

describe('the admin API of several workers', () => {
  it('shows what passed through all of them as one gateway', async () => {
    await using upstream = await startEcho()
    await using gateway = await spawnTwo({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      authorization: {
        rules: [
          { deny: 'mcp.tool.name == "echo" && mcp.tool.arguments.x == 1' },
          { allow: 'true' },
        ],
      },
    })
    const session = await openSession(gateway.url, undefined, {}, APART)
    for (let calls = 0; calls < 10; calls++) await session.call('a__echo', { x: 2 })
    for (let calls = 0; calls < 4; calls++) await session.call('a__echo', { x: 1 })

    const called = (await listOf(gateway, 'operations')).filter(
      (it) => it['method'] === 'tools/call',
    )
    expect(called).toHaveLength(14)
    expect(numbers(called)).toEqual(BOTH)
    const times = called.map((it) => Number(it['at']) + Number(it['durationMs']))
    expect(times).toEqual(times.toSorted((one, other) => other - one))

    const denials = await listOf(gateway, 'denials')
    expect(denials).toHaveLength(4)
    expect(numbers(denials)).toEqual(BOTH)

    expect(await api(gateway, 'sessions')).toMatchObject({ count: 1, sessions: [{ running: 0 }] })
    const [agent, ...others] = await listOf(gateway, 'agents')
    expect(others).toEqual([])
    expect(agent).toMatchObject({ client: { name: 'raw' }, denied: 4 })
    const uses = agent?.['uses'] as unknown as JsonObject[]
    expect(uses.find((it) => it['name'] === 'a__echo')).toMatchObject({ count: 14, denied: 4 })

    const status = await api(gateway, 'status')
    expect(status).toMatchObject({
      ready: true,
      url: gateway.url,
      targets: { total: 1, up: 1, down: [] },
      denials: 4,
    })
    const { lastHour } = status['traffic'] as unknown as { lastHour: JsonObject }
    expect(lastHour).toMatchObject({ outcomes: { denied: 4 }, p95: expect.any(Number) as number })
    const { slots } = (await api(gateway, 'history')) as unknown as { slots: { count: number }[] }
    expect(slots.reduce((sum, it) => sum + it.count, 0)).toBe(lastHour['count'])
    const [target] = await listOf(gateway, 'targets')
    expect(target).toMatchObject({
      name: 'a',
      state: 'ready',
      traffic: { lastHour: { count: 14, outcomes: { ok: 10, denied: 4 } } },
    })
    expect(target).not.toHaveProperty('worker')

    const { items, changes } = (await api(gateway, 'catalog')) as unknown as Record<string, []>
    expect([items, changes]).toMatchObject([[{ exposed: 'a__echo' }], [{ change: 'read' }]])
    expect(await api(gateway, 'config')).toMatchObject({ targets: [{ name: 'a' }] })
    const definition = await api(gateway, 'definition?kind=tools&target=a&name=echo')
    expect(definition).toMatchObject({ name: 'echo' })
  })

  it('asks for its token, whatever it shows', async () => {
    const token = 'a-token-of-some-length'
    await using gateway = await spawnTwo({ targets: [], admin: { port: 0, token } })
    const reports = 'status targets catalog sessions denials config operations history agents'
    for (const name of [...reports.split(' '), 'events']) {
      const url = `${adminUrl(gateway)}/api/v1/${name}`
      const { status, headers } = await get(url)
      expect([name, status, headers['www-authenticate']]).toEqual([name, 401, 'Bearer'])
      if (name === 'events') continue
      expect((await get(url, { authorization: `Bearer ${token}` })).status).toBe(200)
    }
    const elsewhere = { host: 'evil.example', authorization: `Bearer ${token}` }
    expect((await get(`${adminUrl(gateway)}/api/v1/status`, elsewhere)).status).toBe(403)
  })

  it('tells what happens at all of them on one stream, also at those that come later', async () => {
    await using upstream = await startEcho()
    await using gateway = await spawnTwo({ targets: [{ name: 'a', mcp: { url: upstream.url } }] })
    const stream = await follow('GET', `${adminUrl(gateway)}/api/v1/events`, undefined, {})
    const told = (kind: string): readonly JsonObject[] =>
      stream.messages
        .filter((it) => it['kind'] === kind)
        .flatMap((it) => it['items'] as unknown as JsonObject[])
    await waitUntil(() => stream.messages.length > 0, 'the stream')
    const session = await openSession(gateway.url, undefined, {}, APART)
    const called = () => told('operations').filter((it) => it['method'] === 'tools/call')
    await waitUntil(async () => {
      await session.call('a__echo')
      return numbers(called()).length === BOTH.length
    }, 'calls of both workers')
    expect(stream.messages.filter((it) => it['kind'] === 'hello')).toHaveLength(1)

    // The one that spoke for all.
    process.kill(pidOf(gateway, 1), 'SIGKILL')
    await waitUntil(() => pids(gateway).length === 3, 'another worker')
    await ready(gateway)
    const { length } = stream.messages
    await waitUntil(async () => {
      await session.call('a__echo')
      const later = stream.messages.slice(length).filter((it) => it['kind'] === 'operations')
      return numbers(later.flatMap((it) => it['items'] as unknown as JsonObject[])).length === 2
    }, 'calls of both workers as they are now')
    upstream.lists.tools = [
      ...upstream.lists.tools,
      { name: 'new', inputSchema: { type: 'object' } },
    ]
    await upstream.notifyListChanged('tools')
    await waitUntil(() => told('catalog').some((it) => it['change'] === 'added'), 'the change')
    const added = told('catalog').filter((it) => it['change'] === 'added')
    expect(added).toHaveLength(1)
    stream.close()
  })
})
