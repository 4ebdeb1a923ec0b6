/** Members of requests under names of their own: in rules, in the log, as labels of metrics. */
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { problemsOf } from '../support/config.js'
import { spawnGateway, startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import type { RawSession } from '../support/raw-client.js'
import { get, openSession } from '../support/raw-client.js'
import { startEcho, startEchoes, startUpstream } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const REPOSITORY = { method: 'tools/call', path: 'params.arguments.repository' }
const allowing = (rule: string) => ({ rules: [{ allow: rule }] })

async function isDone(session: RawSession, tool: string, given: JsonObject): Promise<boolean> {
  return (await session.call(tool, given)).json['result'] !== undefined
}

describe('an attribute', () => {
  it('decides about calls, and about lists whatever calls may be given', async () => {
    await using upstream = await startEcho()
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      attributes: [
        REPOSITORY,
        { method: 'tools/call', path: 'params.arguments.deep.er', as: 'er' },
      ],
      authorization: {
        rules: [
          { allow: 'mcp.attributes.repository.startsWith("acme/")' },
          { deny: 'has(mcp.attributes.er) && mcp.attributes.er == 2' },
          { deny: 'has(mcp.attributes.name) && mcp.attributes.name != "a__echo"' },
        ],
      },
    })
    const session = await openSession(gateway.url)
    const cases: [JsonObject, boolean][] = [
      [{ repository: 'acme/x' }, true],
      [{ repository: 'other/x' }, false],
      [{ repository: 7 }, false],
      [{}, false],
      [{ repository: 'acme/x', deep: { er: 2 } }, false],
      [{ repository: 'acme/x', deep: { er: 3 } }, true],
      [{ repository: 'acme/x', deep: 'no' }, true],
    ]
    const client = new ModernClient(gateway.url)
    for (const [given, isAllowed] of cases) {
      expect([given, await isDone(session, 'a__echo', given)]).toEqual([given, isAllowed])
      const modern = await client.call('a__echo', given)
      expect([given, modern.json['result'] !== undefined]).toEqual([given, isAllowed])
    }
    // By its bare name it is the same tool, and another `name`: attributes are what the caller wrote.
    expect(await isDone(session, 'echo', { repository: 'acme/x' })).toBe(false)
    const { tools } = (await session.request('tools/list')).json['result'] as { tools: unknown[] }
    expect(tools).toHaveLength(1)
  })

  it('of a target goes before that of all with its name', async () => {
    await using upstreams = await startEchoes(2)
    const targets = upstreams.servers.map(({ url }, index) => ({
      name: index === 0 ? 'a' : 'b',
      mcp: { url },
      attributes:
        index === 0 ? [] : [{ ...REPOSITORY, path: 'params.arguments.repo', as: 'repository' }],
    }))
    await using gateway = await startGateway({
      targets,
      attributes: [REPOSITORY],
      authorization: allowing('mcp.attributes.repository == "x"'),
    })
    const session = await openSession(gateway.url)
    expect(await isDone(session, 'a__echo', { repository: 'x' })).toBe(true)
    expect(await isDone(session, 'a__echo', { repo: 'x' })).toBe(false)
    expect(await isDone(session, 'b__echo', { repository: 'x' })).toBe(false)
    expect(await isDone(session, 'b__echo', { repo: 'x' })).toBe(true)
  })

  it('is there for prompts, resources and completions, in the words of the caller', async () => {
    await using upstream = await startUpstream({
      prompts: [{ name: 'greet' }],
      resources: [{ uri: 'note://a', name: 'a' }],
      completions: true,
      handlers: {
        'prompts/get': () => ({ messages: [] }),
        'resources/read': () => ({ contents: [] }),
        'completion/complete': () => ({ completion: { values: [] } }),
      },
    })
    const attributes = [
      { method: 'prompts/get', path: 'params.arguments.who' },
      { method: 'completion/complete', path: 'params.argument.value' },
    ]
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      attributes,
      authorization: allowing(
        'mcp.attributes.who == "ada" || mcp.attributes.uri == "note://a" || mcp.attributes.value == "v"',
      ),
    })
    const session = await openSession(gateway.url)
    const ask = async (method: string, params: JsonObject) =>
      (await session.request(method, params)).json['result'] !== undefined
    const ref = { type: 'ref/prompt', name: 'a__greet' }
    const name = 'a__greet'
    expect(await ask('prompts/get', { name, arguments: { who: 'ada' } })).toBe(true)
    expect(await ask('prompts/get', { name, arguments: { who: 'bob' } })).toBe(false)
    expect(await ask('resources/read', { uri: 'note://a' })).toBe(true)
    const argument = { name: 'n', value: 'v' }
    expect(await ask('completion/complete', { ref, argument })).toBe(true)
    expect(await ask('completion/complete', { ref, argument: { ...argument, value: 'w' } })).toBe(
      false,
    )
  })

  it('is in the log and the labels of denials, bounded whatever clients send', async () => {
    await using upstream = await startEcho()
    await using gateway = await spawnGateway({
      admin: { port: 0 },
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      attributes: [
        { ...REPOSITORY, metric: true },
        { method: 'tools/call', path: 'params.arguments.list' },
      ],
      authorization: { rules: [{ deny: 'mcp.tool.name == "echo"' }] },
    })
    const session = await openSession(gateway.url)
    await session.call('a__echo', { repository: 'acme/one', list: [1] })
    for (let index = 0; index < 150; index++) {
      await session.call('a__echo', { repository: `r${index}` })
    }
    await session.call('a__echo', { repository: 'y'.repeat(1_000) })
    const denials = () => gateway.log.filter((it) => it['msg'] === 'denied')
    await waitUntil(() => denials().length === 152, 'all denials to be logged')
    expect(denials()[0]?.['attributes']).toEqual({ name: 'a__echo', repository: 'acme/one' })
    expect(denials().at(-1)?.['attributes']).toEqual({
      name: 'a__echo',
      repository: 'y'.repeat(256),
    })
    const admin = gateway.log.find((it) => it['msg'] === 'admin listener')
    const { text } = await get(`${String(admin?.['url'])}/metrics`)
    const series = text.split('\n').filter((it) => it.startsWith('mcp_junction_denied_total'))
    expect(series).toHaveLength(101)
    expect(text).toContain('attribute_repository="acme/one"')
    expect(series.find((it) => it.includes('attribute_repository="_other"'))).toMatch(/ 52$/)
  })
})

it.each([
  [{ attributes: [{ method: 'tools/call', path: 'arguments.x' }] }, 'a path such as params'],
  [{ attributes: [{ method: 'tools call', path: 'params.x' }] }, 'a method such as'],
  [{ attributes: [{ method: 'tools/call', path: 'params.a-b' }] }, 'give it one with "as"'],
  [{ attributes: [{ ...REPOSITORY, as: 'a b' }] }, 'expected a name of letters'],
  [
    { attributes: [REPOSITORY], authorization: allowing('mcp.attributes.repo == "x"') },
    'there is no attribute "repo"',
  ],
  [{ authorization: allowing('has(mcp.attributes.nope.deeper)') }, 'there is no attribute "nope"'],
])('the configuration %j is refused', async (config, message) => {
  expect(JSON.stringify(await problemsOf(JSON.stringify(config)))).toContain(
    JSON.stringify(message).slice(1, -1),
  )
})
