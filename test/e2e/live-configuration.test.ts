import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import type { SpawnedGateway } from '../support/gateway.js'
import { spawnGateway } from '../support/gateway.js'
import type { RawSession } from '../support/raw-client.js'
import { openSession } from '../support/raw-client.js'
import type { Handler } from '../support/upstream-server.js'
import { echo, startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const TOOLS_CHANGED = 'notifications/tools/list_changed'
const target = (name: string, url: string, more: JsonObject = {}) => ({
  name,
  mcp: { url },
  ...more,
})

async function names(session: RawSession): Promise<string[]> {
  const { json } = await session.request('tools/list')
  return (json['result'] as { tools: { name: string }[] }).tools.map((it) => it.name)
}
const logged = (gateway: SpawnedGateway, msg: string) =>
  waitUntil(() => gateway.log.some((it) => it['msg'] === msg), `"${msg}" in the log`)

describe('a changed configuration', () => {
  it('adds, changes and removes targets without a restart, and leaves the others alone', async () => {
    await using stays = await startEcho()
    await using goes = await startEcho()
    await using comes = await startEcho()
    const staying = target('stays', stays.url)
    await using gateway = await spawnGateway({
      targets: [staying, target('goes', goes.url), target('changes', goes.url)],
    })
    const session = await openSession(gateway.url)
    const stream = await session.listen()
    const alone = await openSession(`${gateway.url}/changes`)
    await session.call('stays__echo')
    const before = stays.received.length

    await gateway.reconfigure({
      targets: [target('comes', comes.url), staying, target('changes', comes.url, { prefix: 'c' })],
    })
    const expected = ['comes__echo', 'stays__echo', 'c__echo']
    await waitUntil(async () => (await names(session)).length === 3, 'the new targets')
    await waitUntil(
      async () => JSON.stringify(await names(session)) === JSON.stringify(expected),
      'all of the new targets',
    )
    await stream.next(TOOLS_CHANGED)
    expect((await session.call('comes__echo')).json).toMatchObject({ result: {} })
    expect((await session.call('c__echo')).json).toMatchObject({ result: {} })
    expect((await session.call('goes__echo')).json).toMatchObject({ error: { code: -32602 } })
    expect((await alone.call('echo')).json).toMatchObject({ result: {} })
    expect(comes.asked('tools/call')).toHaveLength(3)
    await waitUntil(() => goes.sessions === 0, 'the sessions of the target that went to end')

    await session.call('stays__echo')
    expect(stays.received.slice(before).map((it) => it.method)).toEqual(['tools/call'])
    expect(stays.sessions).toBe(2)
    stream.close()
  })

  it('lets calls finish at a target that goes', async () => {
    let finish: () => void = () => undefined
    const slow: Handler = async (params) => {
      await new Promise<void>((resolve) => (finish = resolve))
      return echo(params, {} as never)
    }
    await using upstream = await startEcho({ handlers: { 'tools/call': slow } })
    await using gateway = await spawnGateway({ targets: [target('a', upstream.url)] })
    const session = await openSession(gateway.url)
    const call = session.call('a__echo', { last: true })
    await waitUntil(() => upstream.asked('tools/call').length === 1, 'the call to arrive')
    await gateway.reconfigure({ targets: [] })
    await logged(gateway, 'configuration applied')
    expect(await names(session)).toEqual([])
    finish()
    expect((await call).json).toMatchObject({ result: { content: [{ text: '{"last":true}' }] } })
    await waitUntil(() => upstream.sessions === 0, 'the sessions to end')
  })

  it.each([
    ['half a file', '{"targets": ['],
    ['an unknown key', '{"tragets": []}'],
    ['two targets of one name', '{"mcpServers":{"a":{"command":"x"},"A":{"command":"x"}}}'],
  ])('with %s is refused whole, and the old one goes on serving', async (_, text) => {
    await using upstream = await startEcho()
    await using gateway = await spawnGateway({ targets: [target('a', upstream.url)] })
    const session = await openSession(gateway.url)
    await gateway.reconfigure(text)
    await logged(gateway, 'configuration refused')
    expect(await names(session)).toEqual(['a__echo'])
    expect((await session.call('a__echo')).json).toMatchObject({ result: {} })
    await gateway.reconfigure({ targets: [target('b', upstream.url)] })
    await waitUntil(async () => (await names(session)).includes('b__echo'), 'the next good one')
  })

  it('of names and instructions is taken over; of the listener is said to need a restart', async () => {
    await using upstream = await startEcho()
    const targets = [target('a', upstream.url)]
    await using gateway = await spawnGateway({ targets })
    const session = await openSession(gateway.url)
    await gateway.reconfigure({
      targets,
      listen: { port: 0, maxBodyBytes: 2048 },
      federation: { naming: { mode: 'never' }, instructions: 'Now different.' },
    })
    await waitUntil(async () => (await names(session)).includes('echo'), 'the bare name')
    expect((await openSession(gateway.url)).initialized['instructions']).toBe('Now different.')
    await logged(gateway, 'changed sections that need a restart')
  })

  it('is not looked at with --no-watch, until SIGHUP', async () => {
    await using upstream = await startEcho()
    await using gateway = await spawnGateway({ targets: [] }, '--no-watch')
    await gateway.reconfigure({ targets: [target('a', upstream.url)] })
    const session = await openSession(gateway.url)
    expect(await names(session)).toEqual([])
    gateway.process.kill('SIGHUP')
    await waitUntil(async () => (await names(session)).includes('a__echo'), 'the new target')
  })
})
