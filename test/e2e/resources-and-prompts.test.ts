import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { startGateway } from '../support/gateway.js'
import { openSession } from '../support/raw-client.js'
import type { Handler, UpstreamOptions } from '../support/upstream-server.js'
import { startUpstream } from '../support/upstream-server.js'

const read =
  (owner: string, has: (uri: string) => boolean = () => true): Handler =>
  ({ uri }) => {
    if (!has(String(uri))) throw Object.assign(new Error('Resource not found'), { code: -32002 })
    return { contents: [{ uri: String(uri), text: owner }] }
  }

async function two(a: UpstreamOptions, b: UpstreamOptions) {
  const left = await startUpstream(a)
  const right = await startUpstream(b)
  const gateway = await startGateway({
    targets: [
      { name: 'a', mcp: { url: left.url } },
      { name: 'b', mcp: { url: right.url } },
    ],
  })
  const session = await openSession(gateway.url)
  return {
    a: left,
    b: right,
    session,
    [Symbol.asyncDispose]: async () => {
      await gateway.close()
      await left[Symbol.asyncDispose]()
      await right[Symbol.asyncDispose]()
    },
  }
}

const textOf = (json: JsonObject): unknown =>
  (json['result'] as { contents: JsonObject[] }).contents

describe('resources', () => {
  it('that two servers share are listed twice, told apart, and read from the right one', async () => {
    const resources = [{ uri: 'demo://doc', name: 'doc', size: 1 }]
    const templates = [{ uriTemplate: 'demo://item/{id}', name: 'item' }]
    await using world = await two(
      { resources, templates, handlers: { 'resources/read': read('from a') } },
      { resources, templates, handlers: { 'resources/read': read('from b') } },
    )
    const { json } = await world.session.request('resources/list')
    expect(json).toMatchObject({
      result: {
        resources: [
          { uri: 'demo://a/doc', name: 'doc', size: 1 },
          { uri: 'demo://b/doc', name: 'doc', size: 1 },
        ],
      },
    })
    const doc = await world.session.request('resources/read', { uri: 'demo://b/doc' })
    expect(textOf(doc.json)).toEqual([{ uri: 'demo://b/doc', text: 'from b' }])
    const item = await world.session.request('resources/read', { uri: 'demo://a/item/7' })
    expect(textOf(item.json)).toEqual([{ uri: 'demo://a/item/7', text: 'from a' }])
    expect(world.a.asked('resources/read').at(-1)?.params).toEqual({ uri: 'demo://item/7' })

    const ambiguous = await world.session.request('resources/read', { uri: 'demo://doc' })
    expect(ambiguous.json).toMatchObject({
      error: { code: -32602, data: { candidates: ['demo://a/doc', 'demo://b/doc'] } },
    })
  })

  it('linked in a result, and listed nowhere, are read from the server that linked them [R85]', async () => {
    const linking: Handler = () => ({
      content: [{ type: 'resource_link', uri: 'ui://hidden/app.html', name: 'app' }],
    })
    const tool = { name: 'show', inputSchema: { type: 'object' } }
    const never = read('wrong', () => false)
    await using world = await two(
      { resources: [{ uri: 'x://1', name: '1' }], handlers: { 'resources/read': never } },
      {
        tools: [tool],
        resources: [{ uri: 'x://2', name: '2' }],
        handlers: { 'tools/call': linking, 'resources/read': read('the app') },
      },
    )
    const { json } = await world.session.call('b__show')
    expect(JSON.stringify(json)).toContain('"uri":"ui://hidden/app.html"')
    const app = await world.session.request('resources/read', { uri: 'ui://hidden/app.html' })
    expect(textOf(app.json)).toEqual([{ uri: 'ui://hidden/app.html', text: 'the app' }])
    expect(world.a.asked('resources/read')).toHaveLength(0)
  })

  it('known to no list and no template are asked for in turn', async () => {
    await using world = await two(
      {
        resources: [{ uri: 'x://1', name: '1' }],
        handlers: { 'resources/read': read('a', (uri) => uri === 'odd:a') },
      },
      {
        resources: [{ uri: 'x://2', name: '2' }],
        handlers: { 'resources/read': read('b', (uri) => uri === 'odd:b') },
      },
    )
    const found = await world.session.request('resources/read', { uri: 'odd:b' })
    expect(textOf(found.json)).toEqual([{ uri: 'odd:b', text: 'b' }])
    const missing = await world.session.request('resources/read', { uri: 'odd:c' })
    expect(missing.json).toMatchObject({ error: { code: -32002, data: { uri: 'odd:c' } } })
    const again = await world.session.request('resources/read', { uri: 'odd:b' })
    expect(textOf(again.json)).toEqual([{ uri: 'odd:b', text: 'b' }])
    expect(world.a.asked('resources/read')).toHaveLength(2)
  })

  it('that a tool’s page is made of keep their link when they are told apart', async () => {
    const resources = [{ uri: 'ui://app', name: 'app' }]
    const tools = [
      {
        name: 't',
        inputSchema: { type: 'object' },
        _meta: { ui: { resourceUri: 'ui://app' }, k: 1 },
      },
    ]
    const handlers = { 'resources/read': read('page') }
    await using world = await two({ resources, tools, handlers }, { resources, tools, handlers })
    const { json } = await world.session.request('tools/list')
    expect(json).toMatchObject({
      result: {
        tools: [
          { name: 'a__t', _meta: { ui: { resourceUri: 'ui://a/app' }, k: 1 } },
          { name: 'b__t', _meta: { ui: { resourceUri: 'ui://b/app' }, k: 1 } },
        ],
      },
    })
  })
})

describe('completion', () => {
  it('goes to the owner of the prompt, the resource or the template, under its own name', async () => {
    const complete: Handler = () => ({ completion: { values: ['x'] } })
    const templates = [{ uriTemplate: 'demo://item/{id}', name: 'item' }]
    const options = {
      prompts: [{ name: 'p' }],
      templates,
      completions: true,
      handlers: { 'completion/complete': complete },
    }
    await using world = await two(options, options)
    const argument = { name: 'id', value: '1' }
    const context = { arguments: { other: '2' } }
    for (const [given, expected] of [
      [
        { type: 'ref/prompt', name: 'b__p', title: 'kept' },
        { type: 'ref/prompt', name: 'p', title: 'kept' },
      ],
      [
        { type: 'ref/resource', uri: 'demo://b/item/{id}' },
        { type: 'ref/resource', uri: 'demo://item/{id}' },
      ],
      [
        { type: 'ref/resource', uri: 'demo://b/item/7' },
        { type: 'ref/resource', uri: 'demo://item/7' },
      ],
    ]) {
      const { json } = await world.session.request('completion/complete', {
        ref: given as JsonObject,
        argument,
        context,
      })
      expect(json).toMatchObject({ result: { completion: { values: ['x'] } } })
      const asked = world.b.asked('completion/complete').at(-1)
      expect(asked?.params).toEqual({ ref: expected, argument, context })
    }
    expect(world.a.asked('completion/complete')).toHaveLength(0)
  })
})
