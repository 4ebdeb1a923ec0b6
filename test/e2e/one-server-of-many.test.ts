import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { startGateway } from '../support/gateway.js'
import { openSession } from '../support/raw-client.js'
import { connectV1, connectV2 } from '../support/sdk-clients.js'
import { startEcho, startEchoes, startUpstream } from '../support/upstream-server.js'
import { startUpstreamV2 } from '../support/upstream-v2.js'

const packages = fileURLToPath(new URL('../../node_modules/@modelcontextprotocol', import.meta.url))
const files = fileURLToPath(new URL('../../examples/quickstart/files', import.meta.url))
const stdio = (server: string, ...args: string[]): JsonObject => ({
  command: process.execPath,
  args: [`${packages}/${server}/dist/index.js`, ...args],
})

describe('many servers as one', () => {
  it.each([
    ['v1', connectV1],
    ['v2', connectV2],
  ] as const)('serves real servers to a client of SDK line %s', async (_, connect) => {
    await using gateway = await startGateway({
      targets: [
        { name: 'everything', stdio: stdio('server-everything', 'stdio') },
        { name: 'files', stdio: stdio('server-filesystem', files) },
      ],
    })
    await using client = await connect(gateway.url)

    const names = (await client.listTools()).tools.map((it) => it.name)
    expect(names).toContain('everything__echo')
    expect(names).toContain('files__read_text_file')
    expect(new Set(names).size).toBe(names.length)

    const echoed = await client.callTool({ name: 'everything__echo', arguments: { message: 'hi' } })
    expect(echoed.content).toEqual([{ type: 'text', text: 'Echo: hi' }])
    const read = await client.callTool({
      name: 'files__read_text_file',
      arguments: { path: `${files}/hello.txt` },
    })
    expect(JSON.stringify(read.content)).toContain('Hello from behind the gateway')

    const prompts = (await client.listPrompts()).prompts.map((it) => it.name)
    expect(prompts).toContain('everything__simple-prompt')
    const prompt = await client.getPrompt({ name: 'everything__simple-prompt' })
    expect(prompt.messages).toHaveLength(1)

    const [resource] = (await client.listResources()).resources
    const contents = await client.readResource({ uri: resource?.uri ?? '' })
    expect(contents.contents[0]?.uri).toBe(resource?.uri)

    const completed = await client.complete({
      ref: { type: 'ref/prompt', name: 'everything__completable-prompt' },
      argument: { name: 'department', value: 'E' },
    })
    expect(completed.completion.values).toContain('Engineering')
  })

  it('serves a server of SDK line 2, which keeps no sessions', async () => {
    await using upstream = await startUpstreamV2()
    await using gateway = await startGateway({
      targets: [{ name: 'v2', mcp: { url: upstream.url } }],
    })
    await using client = await connectV2(gateway.url)
    expect((await client.listTools()).tools.map((it) => it.name)).toEqual(['v2__greet'])
    const { content } = await client.callTool({ name: 'v2__greet' })
    expect(content).toEqual([{ type: 'text', text: 'hello from v2' }])
  })

  it('describes itself as the sum of its servers', async () => {
    await using a = await startEcho({ instructions: 'Use a for a.' })
    await using b = await startUpstream({
      prompts: [{ name: 'p' }],
      completions: true,
      instructions: 'Use b for b.',
    })
    await using gateway = await startGateway({
      targets: [
        { name: 'a', mcp: { url: a.url } },
        { name: 'b', mcp: { url: b.url } },
      ],
      federation: {
        instructions: 'Ask before deleting.',
        serverInfo: { name: 'ours', title: 'Ours' },
      },
    })
    const { initialized } = await openSession(gateway.url)
    expect(initialized).toMatchObject({
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        completions: {},
      },
      serverInfo: { name: 'ours', title: 'Ours' },
      instructions: 'Ask before deleting.\n\n## a\n\nUse a for a.\n\n## b\n\nUse b for b.',
    })
    expect((initialized['capabilities'] as JsonObject)['resources']).toBeUndefined()
  })

  it('serves one target alone, under its original names and with sessions of its own', async () => {
    await using a = await startEcho({ resources: [{ uri: 'demo://1', name: 'one' }] })
    await using b = await startEcho({ resources: [{ uri: 'demo://1', name: 'one' }] })
    await using gateway = await startGateway({
      targets: [
        { name: 'a', mcp: { url: a.url } },
        { name: 'b', mcp: { url: b.url }, exclude: ['nothing'] },
      ],
    })
    const alone = await openSession(`${gateway.url}/b`)
    const { json } = await alone.request('tools/list')
    expect(json).toMatchObject({ result: { tools: [{ name: 'echo' }] } })
    const resources = await alone.request('resources/list')
    expect(resources.json).toMatchObject({ result: { resources: [{ uri: 'demo://1' }] } })
    await alone.call('echo', { x: 1 })
    expect(b.asked('tools/call')).toHaveLength(1)
    expect(a.asked('tools/call')).toHaveLength(0)

    const elsewhere = await openSession(gateway.url)
    const foreign = Object.assign(await openSession(`${gateway.url}/a`), {
      url: `${gateway.url}/b`,
    })
    expect((await foreign.request('ping')).status).toBe(404)
    expect((await elsewhere.request('ping')).status).toBe(200)
  })

  it('routes each call to the owner and to nobody else', async () => {
    await using a = await startEcho()
    await using b = await startEcho()
    await using gateway = await startGateway({
      targets: [
        { name: 'a', mcp: { url: a.url } },
        { name: 'b', mcp: { url: b.url } },
      ],
    })
    const session = await openSession(gateway.url)
    const { json } = await session.call('b__echo', { to: 'b' })
    expect(json).toMatchObject({ result: { content: [{ text: '{"to":"b"}' }] } })
    expect(a.asked('tools/call')).toHaveLength(0)
    expect(b.asked('tools/call')[0]?.params).toEqual({ name: 'echo', arguments: { to: 'b' } })
  })

  it('opens one upstream session for each client session, when it first needs it, and ends it with it [R56][R93]', async () => {
    await using upstream = await startEcho()
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    expect(upstream.sessions).toBe(1)
    const one = await openSession(gateway.url)
    const two = await openSession(gateway.url)
    expect(upstream.sessions).toBe(1)
    await Promise.all([one.call('a__echo'), one.call('a__echo'), two.call('a__echo')])
    expect(upstream.sessions).toBe(3)
    const used = new Set(upstream.asked('tools/call').map((it) => it.sessionId))
    expect(used.size).toBe(2)

    expect((await one.delete()).status).toBe(204)
    await expect.poll(() => upstream.sessions).toBe(2)
    expect((await one.call('a__echo')).status).toBe(404)
    expect((await two.call('a__echo')).status).toBe(200)
  })

  it('holds a hundred servers of a hundred tools; lists and initialize ask none of them', async () => {
    const tools = Array.from({ length: 100 }, (_, index) => ({
      name: `tool_${index}`,
      inputSchema: { type: 'object' },
    }))
    await using many = await startEchoes(100, { tools })
    const { servers } = many
    await using gateway = await startGateway({
      targets: servers.map(({ url }, index) => ({ name: `s${index}`, mcp: { url } })),
    })
    const before = servers.map((it) => it.received.length)
    const session = await openSession(gateway.url)
    const { json } = await session.request('tools/list')
    expect((json['result'] as { tools: unknown[] }).tools).toHaveLength(10_000)
    expect(servers.map((it) => it.received.length)).toEqual(before)

    const answer = await session.call('s42__tool_7', { n: 42 })
    expect(answer.json).toMatchObject({ result: { content: [{ text: '{"n":42}' }] } })
    expect(servers.filter((it) => it.asked('tools/call').length > 0)).toEqual([servers[42]])
  })
})
