/** What variants mean for the rest: rules and limits, what is begun and goes on, reports, metrics, workers, approvals. */
import { ElicitResultSchema } from '@modelcontextprotocol/sdk/types.js'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { NOBODY } from '../../src/auth/principal.js'
import { freePort } from '../support/free-port.js'
import { CLI, configOf, spawnGateway, startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import { ModernUpstream, startModern } from '../support/modern-upstream.js'
import { observed } from '../support/observed-gateway.js'
import type { Headers, RawSession } from '../support/raw-client.js'
import { get, openSession, post } from '../support/raw-client.js'
import { startHostile } from '../support/raw-http-server.js'
import { startTwo } from '../support/replicas.js'
import { metricOf } from '../support/scrape.js'
import type { Extra } from '../support/upstream-server.js'
import { startEcho, startUpstream } from '../support/upstream-server.js'
import { answererIn, startVariant, toolsIn } from '../support/variant-servers.js'
import { waitUntil } from '../support/wait-until.js'

interface Place {
  readonly url: string
}

const BETA = { 'x-beta': 'yes' }
const WHEN = 'request.headers["x-beta"] == "yes"'
const ROLLBACK = { errorRate: 0.5, minCalls: 2, interval: '1h' }

/** A target `a`, whose canary serves those who send the header. */
const varied = (stable: Place, canary: Place, more: JsonObject = {}) => ({
  name: 'a',
  variants: [
    { name: 'stable', mcp: { url: stable.url } },
    { name: 'canary', when: WHEN, mcp: { url: canary.url } },
  ],
  ...more,
})

const openBeta = (url: string): Promise<RawSession> => openSession(url, undefined, {}, BETA)
const who = async (session: RawSession): Promise<string> => answererIn(await session.call('a__who'))

describe('of a target with variants', () => {
  it('rules and limits know the target alone', async () => {
    await using stable = await startVariant('legacy', 'stable', { tools: ['secret'] })
    await using canary = await startVariant('legacy', 'canary', { tools: ['secret', 'fresh'] })
    await using gateway = await startGateway({
      targets: [varied(stable, canary)],
      authorization: {
        rules: [
          { deny: 'mcp.tool.target == "a" && mcp.tool.name == "secret"' },
          { allow: 'mcp.tool.exposedName.startsWith("a__")' },
        ],
      },
      limits: [{ per: ['target'], rate: '4/1h' }],
    })
    const usual = await openSession(gateway.url)
    const beta = await openBeta(gateway.url)
    expect(toolsIn(await usual.request('tools/list'))).toEqual(['a__who'])
    expect(toolsIn(await beta.request('tools/list'))).toEqual(['a__who', 'a__fresh'])
    expect(answererIn(await beta.call('a__secret'))).toContain('-32602')
    expect([await who(usual), await who(beta), answererIn(await beta.call('a__fresh'))]).toEqual([
      'stable',
      'canary',
      'canary',
    ])
    // All of it was of one target, what was denied too, and so is this.
    expect([await who(usual), await who(beta)]).toEqual(['error', 'error'])
  })

  it('a variant that was never reached gets nobody, and its callers return when it is there', async () => {
    await using stable = await startVariant('modern', 'stable')
    const port = await freePort()
    const absent = { url: `http://127.0.0.1:${port}/mcp` }
    await using gateway = await startGateway({ targets: [varied(stable, absent)] })
    const modern = new ModernClient(gateway.url)
    const ask = async () => answererIn(await modern.call('a__who', {}, { headers: BETA }))
    expect([await who(await openBeta(gateway.url)), await ask()]).toEqual(['stable', 'stable'])
    await using canary = await new ModernUpstream({
      tools: [{ name: 'who', inputSchema: { type: 'object' } }],
      handlers: { 'tools/call': () => ({ content: [{ type: 'text', text: 'canary' }] }) },
    }).start(port)
    await waitUntil(async () => (await ask()) === 'canary', 'the canary to be found')
    expect(await who(await openBeta(gateway.url))).toBe('canary')
    expect(canary.asked('tools/call').length).toBeGreaterThan(1)
  })

  it('resources that a caller follows are followed at the first variant when its own is given up', async () => {
    const options = {
      resources: [{ uri: 'demo://doc', name: 'doc' }],
      capabilities: { resources: { subscribe: true } },
    }
    const handlers = { 'resources/subscribe': () => ({}), 'resources/unsubscribe': () => ({}) }
    await using stable = await startEcho({ ...options, handlers })
    const failing = () => ({ content: [], isError: true })
    await using canary = await startEcho({
      ...options,
      handlers: { ...handlers, 'tools/call': failing },
    })
    const target = varied(stable, canary, { rollback: ROLLBACK })
    await using gateway = await startGateway({ targets: [target] })
    const session = await openBeta(gateway.url)
    const stream = await session.listen()
    await session.request('resources/subscribe', { uri: 'demo://doc' })
    const modern = new ModernClient(gateway.url)
    const notifications = { resourceSubscriptions: ['demo://doc'] }
    const headers = BETA
    const listening = await modern.begin('subscriptions/listen', { notifications }, { headers })
    await listening.next('notifications/subscriptions/acknowledged')
    expect(canary.asked('resources/subscribe')).toHaveLength(2)
    for (let call = 0; call < 3; call++) await session.call('a__echo')
    await waitUntil(() => stable.asked('resources/subscribe').length === 2, 'both at the first')
    await waitUntil(() => canary.asked('resources/unsubscribe').length === 2, 'none at the other')
    await stable.notifyUpdated('demo://doc')
    const updated = 'notifications/resources/updated'
    await Promise.all([stream.next(updated), listening.next(updated)])
    stream.close()
    listening.close()
  })

  it('what a stateful session keeps is lost with its variant, and the client begins anew', async () => {
    await using stable = await startVariant('legacy', 'stable')
    await using canary = await startVariant('legacy', 'canary')
    const target = varied(stable, canary, { stateful: true, rollback: ROLLBACK })
    await using two = await startTwo({ targets: [target] })
    const session = await openBeta(two.here)
    expect([await who(session), await who(session.at(two.there))]).toEqual(['canary', 'canary'])
    canary.behave('tool-error')
    while ((await session.call('a__who')).status === 200);
    expect((await session.call('a__who')).status).toBe(404)
    const anew = await openBeta(two.here)
    expect(await who(anew)).toBe('stable')
    const single = { name: 'a', mcp: { url: canary.url }, stateful: true }
    two.gateways[0]?.apply(configOf({ targets: [single] }))
    expect((await anew.call('a__who')).status).toBe(404)
  })

  it('what is for everybody is for the caller alone', async () => {
    const cache = { ttlMs: 60_000, cacheScope: 'public' }
    const options = {
      cache,
      resources: [{ uri: 'demo://doc', name: 'doc' }],
      handlers: {
        'resources/read': () => ({ contents: [{ uri: 'demo://doc', text: 'x' }], ...cache }),
      },
    }
    await using stable = await startModern(options)
    await using canary = await startModern(options)
    await using gateway = await startGateway({ targets: [varied(stable, canary)] })
    const client = new ModernClient(gateway.url)
    for (const [method, params] of [
      ['tools/list', {}],
      ['resources/read', { uri: 'demo://doc' }],
      ['resources/read', { uri: 'demo://doc' }],
    ] as const) {
      const { json } = await client.request(method, params)
      expect(json['result']).toMatchObject({ cacheScope: 'private' })
    }
    // It is kept all the same, and for each variant by itself.
    expect(stable.asked('resources/read')).toHaveLength(1)
    await client.request('resources/read', { uri: 'demo://doc' }, { headers: BETA })
    expect(canary.asked('resources/read')).toHaveLength(1)
  })

  it('no request is larger than the target takes, whichever variant has the tool', async () => {
    await using stable = await startVariant('legacy', 'stable')
    await using canary = await startVariant('legacy', 'canary', { tools: ['fresh'] })
    const target = varied(stable, canary, { maxBodyBytes: 2048 })
    await using gateway = await startGateway({ targets: [target] })
    const beta = await openBeta(gateway.url)
    const large = { text: 'x'.repeat(4_000) }
    expect((await beta.call('a__fresh', large)).status).toBe(413)
    expect((await beta.call('a__who', large)).status).toBe(413)
    expect(answererIn(await beta.call('a__fresh'))).toBe('canary')
  })

  it('what is no MCP goes to the variant of whoever sends it', async () => {
    const page = (text: string) =>
      startHostile((_message, response) => void response.writeHead(200).end(text))
    await using stable = await page('stable')
    await using canary = await page('canary')
    const target = varied(stable, canary, { traffic: 'passThrough' })
    await using gateway = await startGateway({ targets: [target] })
    const read = (headers: Headers) => post(`${gateway.url}/a/page`, { id: 1, not: 'rpc' }, headers)
    expect([(await read({})).text, (await read(BETA)).text]).toEqual(['stable', 'canary'])
  })

  it('explanations know what only one variant has', async () => {
    await using stable = await startVariant('legacy', 'stable')
    await using canary = await startVariant('legacy', 'canary', { tools: ['fresh'] })
    await using gateway = await startGateway({
      targets: [varied(stable, canary)],
      authorization: { rules: [{ deny: 'mcp.tool.name == "fresh"' }] },
    })
    const asker = {
      principal: NOBODY,
      request: new IncomingMessage(new Socket()),
      client: { name: '', version: '' },
    }
    expect(gateway.explain(asker, 'a__fresh', {})).toMatchObject({ isAllowed: false })
    expect(gateway.explain(asker, 'a__none', {})).toBeUndefined()
  })
})

describe('what was begun at a variant goes on there', () => {
  it('when a call comes back with answers after the weights have changed', async () => {
    const form = {
      method: 'elicitation/create',
      params: { mode: 'form', message: 'Who?', requestedSchema: { type: 'object' } },
    }
    const asking = (name: string) =>
      startModern({
        handlers: {
          'tools/call': ({ params }) =>
            params['inputResponses'] === undefined
              ? { resultType: 'input_required', inputRequests: { q: form }, requestState: name }
              : { content: [{ type: 'text', text: `${name} ${String(params['requestState'])}` }] },
        },
      })
    await using stable = await asking('stable')
    await using canary = await asking('canary')
    const config = (weight: number) => ({
      targets: [
        {
          name: 'a',
          variants: [
            { name: 'stable', weight: 1, mcp: { url: stable.url } },
            { name: 'canary', weight, mcp: { url: canary.url } },
          ],
        },
      ],
    })
    await using gateway = await startGateway(config(0))
    const client = new ModernClient(gateway.url)
    const options = { capabilities: { elicitation: { form: {} } } }
    const { json } = await client.call('a__echo', {}, options)
    const { requestState } = json['result'] as JsonObject
    gateway.apply(configOf(config(1_000_000)))
    await waitUntil(
      async () => (await client.call('a__echo', {}, options)).text.includes('[a]'),
      'the next question',
    )
    const params = {
      name: 'a__echo',
      arguments: {},
      requestState: requestState ?? null,
      inputResponses: { q: { action: 'decline' } },
    }
    expect(answererIn(await client.request('tools/call', params, options))).toBe('stable stable')
    expect(canary.asked('tools/call').length).toBeGreaterThan(0)
  })

  it('when a task runs, and its variant is given up', async () => {
    const task = { taskId: 't1', status: 'working', ttl: 60_000, createdAt: 'c' }
    const running = {
      tools: [
        { name: 'who', inputSchema: { type: 'object' }, execution: { taskSupport: 'optional' } },
      ],
      capabilities: { tasks: { cancel: {}, requests: { tools: { call: {} } } } },
    }
    const failing = (params: JsonObject) =>
      params['task'] === undefined ? { content: [], isError: true } : { task }
    await using stable = await startUpstream({
      ...running,
      handlers: { 'tools/call': () => ({ content: [] }) },
    })
    await using canary = await startUpstream({
      ...running,
      handlers: { 'tools/call': failing, 'tasks/get': () => ({ ...task, status: 'completed' }) },
    })
    const target = varied(stable, canary, { rollback: ROLLBACK })
    await using gateway = await startGateway({ targets: [target] })
    const session = await openBeta(gateway.url)
    const made = await session.request('tools/call', { name: 'a__who', arguments: {}, task: {} })
    const { taskId } = (made.json['result'] as { task: { taskId: string } }).task
    for (let round = 0; round < 3; round++) await session.call('a__who')
    await session.call('a__who')
    expect(stable.asked('tools/call').length).toBeGreaterThan(0)
    const found = await session.request('tasks/get', { taskId })
    expect(found.json['result']).toMatchObject({ taskId, status: 'completed' })
  })

  it('when a server asks, and its variant is given up before the answer', async () => {
    const asking = {
      tools: [{ name: 'who', inputSchema: { type: 'object' } }],
      handlers: {
        'tools/call': async (params: JsonObject, extra: Extra) => {
          const { arguments: given } = params
          if ((given as JsonObject)['fail'] === true) return { content: [], isError: true }
          const answer = await extra.sendRequest(
            {
              method: 'elicitation/create',
              params: { message: 'Go?', requestedSchema: { type: 'object', properties: {} } },
            },
            ElicitResultSchema,
          )
          return { content: [{ type: 'text', text: `canary ${answer.action}` }] }
        },
      },
    }
    await using stable = await startVariant('legacy', 'stable')
    await using canary = await startUpstream(asking)
    const target = varied(stable, canary, { rollback: ROLLBACK })
    await using gateway = await startGateway({ targets: [target] })
    const session = await openSession(gateway.url, undefined, { elicitation: { form: {} } }, BETA)
    const call = await session.begin('tools/call', { name: 'a__who', arguments: {} })
    await call.next('elicitation/create')
    for (let round = 0; round < 2; round++) await session.call('a__who', { fail: true })
    expect(await who(session)).toBe('stable')
    const question = call.messages.find((it) => it['method'] === 'elicitation/create')
    await session.answer(question?.['id'] ?? null, { action: 'accept', content: {} })
    await call.ended
    expect(JSON.stringify(call.messages.at(-1))).toContain('canary accept')
  })
})

describe('a variant that is given up', () => {
  it('is told in log, metrics, reports and events, and gets callers again by hand', async () => {
    await using stable = await startVariant('legacy', 'stable')
    await using canary = await startVariant('legacy', 'canary', { tools: ['fresh'] })
    const target = varied(stable, canary, { rollback: ROLLBACK })
    await using it = await observed({ targets: [target] })
    const { url } = it.gateway
    const modern = new ModernClient(url)
    const ask = async () => answererIn(await modern.call('a__who', {}, { headers: BETA }))
    const given = () => metricOf(it.gateway, GIVEN_UP)
    const variantsNow = async () => {
      const { targets } = (await it.api('targets')) as { targets: JsonObject[] }
      return targets.map(({ name, variant }) => ({ name, variant: variant ?? null }))
    }
    expect(await ask()).toBe('canary')
    expect(await given()).toBe(0)
    canary.behave('tool-error')
    for (let call = 0; call < 2; call++) await ask()
    expect([await ask(), await given()]).toEqual(['stable', 1])
    expect(await variantsNow()).toEqual([
      {
        name: 'a@stable',
        variant: { target: 'a', name: 'stable', weight: 1, calls: 1, failures: 0 },
      },
      {
        name: 'a@canary',
        variant: {
          target: 'a',
          name: 'canary',
          weight: 0,
          when: WHEN,
          calls: 3,
          failures: 2,
          givenUp: { since: expect.any(String), calls: 3, failures: 2 },
        },
      },
    ])
    const { items } = (await it.api('catalog')) as { items: JsonObject[] }
    expect(items.map(({ variant, exposed }) => `${String(variant)} ${String(exposed)}`)).toEqual([
      'stable a__who',
      'canary a__who',
      'canary a__fresh',
    ])
    const upstream =
      'mcp_client_operation_duration_seconds_count{mcp_method_name="tools/call",gen_ai_tool_name="who"'
    const { text } = await get(`${it.adminUrl}/metrics`)
    const series = text.split('\n').filter((line) => line.startsWith(upstream))
    expect(series.filter((line) => line.includes('mcp_junction_variant="canary"'))).toHaveLength(2)
    expect(series.filter((line) => line.includes('mcp_junction_variant="stable"'))).toHaveLength(1)

    const beta = await openSession(url, undefined, {}, BETA)
    expect(await who(beta)).toBe('stable')
    expect(await it.api('sessions')).toMatchObject({ sessions: [{ variants: { a: 'stable' } }] })

    canary.behave('well')
    expect((await it.act('targets/a@canary/restore')).status).toBe(202)
    expect([await ask(), await given()]).toEqual(['canary', 0])
    expect((await it.act('targets/a@none/restore')).status).toBe(404)
    expect((await it.act('targets/a@canary/reconnect')).status).toBe(202)
  })

  it('serves again when its variants are configured anew, and the log has it', async () => {
    await using stable = await startVariant('modern', 'stable')
    await using canary = await startVariant('modern', 'canary')
    const target = varied(stable, canary, { rollback: ROLLBACK })
    await using gateway = await spawnGateway({ targets: [target] })
    const modern = new ModernClient(gateway.url)
    const ask = async () => answererIn(await modern.call('a__who', {}, { headers: BETA }))
    canary.behave('tool-error')
    while ((await ask()) === 'error');
    canary.behave('well')
    expect(await ask()).toBe('stable')
    const line = (msg: string) => gateway.log.find((it) => it['msg'] === msg)
    await waitUntil(() => line('variant given up; its callers return') !== undefined, 'the line')
    expect(line('variant given up; its callers return')).toMatchObject({
      level: 40,
      target: 'a',
      variant: 'canary',
      failures: 2,
    })
    await waitUntil(
      () => gateway.log.some((it) => it['variant'] === 'stable' && it['method'] === 'tools/call'),
      'the access log',
    )

    const applied = () => gateway.log.filter((it) => it['msg'] === 'configuration applied').length
    await gateway.reconfigure({ targets: [target], federation: { instructions: 'Other.' } })
    await waitUntil(() => applied() === 1, 'another configuration of the same variants')
    expect(await ask()).toBe('stable')
    await gateway.reconfigure({ targets: [{ ...target, rollback: { ...ROLLBACK, minCalls: 3 } }] })
    await waitUntil(() => applied() === 2, 'another configuration of the variants')
    expect(await ask()).toBe('canary')
  })

  it('is restored at all workers, and a session is served by its variant at each', async () => {
    await using stable = await startVariant('legacy', 'stable')
    await using canary = await startVariant('legacy', 'canary')
    const target = varied(stable, canary, { rollback: ROLLBACK })
    await using gateway = await spawnGateway({ workers: 2, admin: { port: 0 }, targets: [target] })
    const adminUrl = String(gateway.log.find((it) => it['msg'] === 'admin listener')?.['url'])
    await waitUntil(async () => (await get(`${adminUrl}/readyz`)).status === 200, 'all workers')
    const apart = { ...BETA, connection: 'close' }
    const session = await openSession(gateway.url, undefined, {}, apart)
    const answers = await Promise.all(Array.from({ length: 8 }, () => who(session)))
    expect(new Set(answers)).toEqual(new Set(['canary']))
    const modern = new ModernClient(gateway.url)
    const ask = async () => answererIn(await modern.call('a__who', {}, { headers: apart }))
    canary.behave('tool-error')
    // Each worker finds out by itself.
    await waitUntil(async () => {
      const round = await Promise.all(Array.from({ length: 8 }, ask))
      return round.every((it) => it === 'stable')
    }, 'both workers to give it up')
    canary.behave('well')
    const restored = await post(`${adminUrl}/api/v1/targets/a@canary/restore`, {})
    expect(restored.status).toBe(202)
    const after = await Promise.all(Array.from({ length: 8 }, ask))
    expect(new Set(after)).toEqual(new Set(['canary']))
  })
})

describe('definitions of variants', () => {
  it('are approved one by one, and without approvals of their own as those of the target', async () => {
    await using stable = await startVariant('legacy', 'stable')
    await using canary = await startVariant('legacy', 'canary')
    const single = { name: 'a', mcp: { url: stable.url }, guard: 'block' }
    await using gateway = await spawnGateway({ targets: [single] })
    const lock = async (...options: string[]): Promise<string> => {
      const { stdout } = await promisify(execFile)(process.execPath, [
        CLI,
        'lock',
        '--config',
        gateway.file,
        ...options,
      ])
      return stdout
    }
    const usual = await openSession(gateway.url)
    const list = async (session: RawSession) => toolsIn(await session.request('tools/list'))
    await lock()
    await waitUntil(async () => (await list(usual)).length === 1, 'the approved tool')
    await gateway.reconfigure({ targets: [varied(stable, canary, { guard: 'block' })] })
    await waitUntil(
      async () => (await list(await openBeta(gateway.url))).length === 0,
      'the canary, whose tool is another',
    )
    expect(await list(usual)).toEqual(['a__who'])
    const text = await lock()
    expect(text).toContain('a@stable: 1 tools, unchanged')
    expect(text).toContain('a@canary: 1 tools\n  ~ "who"')
    const file = await readFile(join(dirname(gateway.file), 'junction.lock.json'), 'utf8')
    const { targets } = JSON.parse(file) as { targets: JsonObject }
    expect(Object.keys(targets)).toEqual(['a', 'a@canary', 'a@stable'])
    const beta = await openBeta(gateway.url)
    await waitUntil(async () => (await list(beta)).length === 1, 'the approved tool')
    expect(await who(beta)).toBe('canary')
  })
})

const GIVEN_UP = 'mcp_junction_variant_given_up{target="a",variant="canary"}'
