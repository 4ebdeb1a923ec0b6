/** Secrets of every kind, planted wherever one can be, and looked for in everything that a run puts out. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { AuthorizationServer } from '../support/authorization-server.js'
import { folderOf } from '../support/config.js'
import { startCollector } from '../support/collector.js'
import type { SpawnedGateway } from '../support/gateway.js'
import { spawnGateway } from '../support/gateway.js'
import type { Headers } from '../support/raw-client.js'
import { follow, get, initializeRequest, openSession, post } from '../support/raw-client.js'
import { startRawHttp } from '../support/raw-http-server.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const CLI = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url))
const PLANTED = 'pl4nted'
const secret = (where: string) => `${PLANTED}-${where}-secret`
const SESSION_KEY = Buffer.alloc(32, PLANTED).toString('base64')
const ADMIN = { authorization: `Bearer ${secret('admin')}` }
const KEY = { authorization: `Bearer ${secret('api-key')}` }

function command(...args: string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, ...args], (_, stdout, stderr) => resolve(stdout + stderr))
  })
}

async function refusedTimes(gateway: SpawnedGateway, times: number): Promise<void> {
  const refusals = () => gateway.log.filter((it) => it['msg'] === 'configuration refused')
  await waitUntil(() => refusals().length === times, 'the configuration to be refused')
}

it('no secret is in a log, an answer, an error, a metric, a trace, a report or what commands print', async () => {
  await using good = await startEcho({
    tools: [
      { name: 'echo', inputSchema: { type: 'object' } },
      { name: 'forbidden', inputSchema: { type: 'object' } },
    ],
  })
  await using bad = await startRawHttp((_message, response, request) => {
    response.writeHead(500, { 'x-debug': String(request.headers['x-api-key']) })
    response.end(JSON.stringify({ error: request.headers }))
  })
  await using issuer = await AuthorizationServer.start()
  issuer.refusal = 'invalid_client'
  await using collector = await startCollector()
  const config = {
    admin: { port: 0, token: secret('admin') },
    telemetry: {
      otlp: { endpoint: collector.endpoint, headers: { 'x-key': secret('collector') } },
      traces: { content: true },
    },
    sessions: { keys: [SESSION_KEY] },
    limits: [{ rate: '1000/1s' }],
    store: { redis: { url: `redis://${secret('user')}:${secret('store')}@127.0.0.1:1` } },
    authentication: { mode: 'strict', apiKeys: [{ name: 'ci', key: secret('api-key') }] },
    authorization: { rules: [{ deny: 'mcp.tool.name == "forbidden"' }] },
    targets: [
      {
        name: 'good',
        mcp: { url: `${good.url}?token=${secret('query')}` },
        auth: { bearer: secret('bearer') },
        headers: { set: { 'x-team': secret('header') } },
      },
      {
        name: 'bad',
        mcp: { url: bad.url },
        auth: { header: { name: 'x-api-key', value: secret('x') } },
      },
      {
        name: 'oauth',
        mcp: { url: good.url },
        auth: {
          clientCredentials: {
            tokenUrl: issuer.tokenUrl,
            clientId: 'gateway',
            clientSecret: secret('client'),
          },
        },
      },
      { name: 'gone', mcp: { url: `http://127.0.0.1:1/mcp?key=${secret('gone')}` } },
      {
        name: 'child',
        stdio: {
          command: process.execPath,
          args: ['-e', 'console.error(process.env.TOKEN); process.exit(3)', secret('argument')],
          env: { TOKEN: secret('env') },
        },
      },
    ],
  }
  await using gateway = await spawnGateway(config)
  const { url: adminUrl } = gateway.log.find((it) => it['msg'] === 'admin listener') ?? {}
  const events = await follow('GET', `${String(adminUrl)}/api/v1/events`, undefined, ADMIN)
  const session = await openSession(gateway.url, undefined, {}, KEY)
  const said: string[] = []
  const say = async (answer: Promise<{ text: string; headers: unknown }>): Promise<void> => {
    const { text, headers } = await answer
    said.push(text, JSON.stringify(headers))
  }
  const as = (headers: Headers) => post(gateway.url, initializeRequest(), headers)
  // Its answer holds the argument, as it should; the log must not.
  const answer = await session.call('good__echo', { password: secret('call') })
  expect(answer.text).toContain(secret('call'))
  await say(session.request('tools/list'))
  await say(session.call('good__forbidden', { password: secret('call') }))
  await say(session.call('bad__any', { password: secret('call') }))
  await say(session.call('gone__any'))
  await say(as({ authorization: `Bearer ${secret('wrong')}` }))
  await say(as({ authorization: `Basic ${secret('basic')}`, cookie: secret('cookie') }))
  await say(as({ 'x-api-key': secret('wrong') }))
  await say(as({ ...KEY, host: `${secret('host')}.example` }))
  await say(as({ ...KEY, origin: `https://${secret('origin')}.example` }))
  await say(post(`${gateway.url}?access_token=${secret('url')}`, initializeRequest()))
  await say(post(gateway.url, `{"${secret('body')}`, KEY))
  await say(post(gateway.url, initializeRequest(), { ...KEY, 'mcp-session-id': secret('session') }))

  const reports = ['status', 'targets', 'catalog', 'sessions', 'denials', 'config', 'operations']
    .concat('history', 'agents')
    .map((name) => `/api/v1/${name}`)
  for (const path of ['/metrics', ...reports, '/nothing']) {
    await say(get(`${String(adminUrl)}${path}`, ADMIN))
    await say(get(`${String(adminUrl)}${path}`, { authorization: `Bearer ${secret('wrong')}` }))
  }
  for (const path of ['/readyz', '/healthz']) {
    await say(get(`${new URL(gateway.url).origin}${path}`))
  }
  const tool = ['--tool', 'good__echo', '--api-key', 'ci']
  said.push(await command('explain', '--config', gateway.file, ...tool))
  said.push(await command('validate', '--config', gateway.file))
  expect(said.at(-1)).toContain('fine, 5 targets')

  const [first] = config.targets
  await gateway.reconfigure({
    ...config,
    targets: [{ ...first, auth: { bearer: [secret('list')] } }],
  })
  await refusedTimes(gateway, 1)
  said.push(await command('validate', '--config', gateway.file))
  await gateway.reconfigure({
    ...config,
    store: { redis: { url: `redis://:${secret('odd')}/@127.0.0.1:1`, password: secret('key') } },
  })
  await refusedTimes(gateway, 2)
  said.push(await command('validate', '--config', gateway.file))
  await gateway.reconfigure(`{ "targets": [ "${secret('syntax')}" "${secret('syntax')}`)
  await refusedTimes(gateway, 3)
  said.push(await command('serve', '--config', gateway.file))
  await gateway.stop()

  expect(collector.spans.map((it) => it.name)).toContain('tools/call good__echo')
  expect(gateway.log.map((it) => it['name'])).toContain('good__forbidden')
  expect(events.messages.length).toBeGreaterThan(1)
  const everything = JSON.stringify([said, events.messages, gateway.log, collector.bodies])
  expect(everything.length).toBeGreaterThan(5_000)
  const around = everything.split(PLANTED).slice(1)
  expect(around.map((it) => it.slice(0, 60))).toEqual([])
  expect(everything).not.toContain(SESSION_KEY)
  expect(everything).not.toContain(session.id)
})

/** A child that says all that it was given, wherever what it says is not relayed to a client. */
const TELLTALE = `
  const { createInterface } = require('node:readline')
  const { env, argv } = process
  const given = [...argv.slice(1), env.PLAIN, env.API_TOKEN, env.QUOTED, ...env.PEM.split('\\n')]
  const tell = () => {
    for (const it of given) console.error('given: ' + it)
    console.error(JSON.stringify({ given }))
    console.error('https://example.com/?q=' + encodeURIComponent(env.QUOTED))
    console.error('x'.repeat(4085) + argv[1])
    console.log('{ ' + argv[1])
    console.log(JSON.stringify({ jsonrpc: argv[1] }))
    console.error('told')
  }
  tell()
  createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method, params } = JSON.parse(line)
    if (method === 'notifications/initialized') tell()
    const result = method === 'initialize' && {
      protocolVersion: params.protocolVersion,
      capabilities: { tools: {}, prompts: {} },
      serverInfo: { name: 'telltale', version: '1' },
    }
    const list = method === 'prompts/list' && { prompts: [{ name: given }, { name: 'p' }] }
    const error = { code: -32000, message: 'no tools for ' + given.join() }
    const answer = result || list ? { result: result || list } : { error }
    if (id !== undefined) console.log(JSON.stringify({ jsonrpc: '2.0', id, ...answer }))
  })
`

it('a child that prints what the configuration gave it puts no secret into a log or a report', async () => {
  await using folder = await folderOf({
    'key.pem': `-----\n${secret('line1')}\n${secret('line2')}\n`,
  })
  const pem = join(folder.path, 'key.pem')
  const references = {
    PLANTED_ARGUMENT: secret('by-reference'),
    PLANTED_QUOTED: `"${secret('q')}\\ &`,
  }
  Object.assign(process.env, references)
  const target = {
    name: 'child',
    stdio: {
      command: process.execPath,
      args: ['-e', TELLTALE, '${PLANTED_ARGUMENT}'],
      env: {
        PLAIN: 'prefix-${PLANTED_ARGUMENT}-suffix',
        API_TOKEN: secret('written-out'),
        QUOTED: '${PLANTED_QUOTED}',
        PEM: `\${file:${pem}}`,
        MODE: 'production',
      },
    },
  }
  const config = { admin: { port: 0 }, targets: [target] }
  const stderrOf = ({ log }: SpawnedGateway) => log.map((it) => String(it['stderr'] ?? ''))
  const toldTimes = (gateway: SpawnedGateway) =>
    stderrOf(gateway).filter((it) => it === 'told').length
  await using gateway = await spawnGateway(config)
  await waitUntil(() => toldTimes(gateway) >= 2, 'the child to tell')
  expect(stderrOf(gateway)).toContain('given: [redacted]')
  expect(stderrOf(gateway)).toContain('given: prefix-[redacted]-suffix')

  const before = toldTimes(gateway)
  const env = { ...target.stdio.env, API_TOKEN: secret('another'), PLAIN: 'no secret at all' }
  const args = ['-e', TELLTALE, '${PLANTED_ARGUMENT}', secret('api-key')]
  await gateway.reconfigure({
    ...config,
    targets: [{ ...target, stdio: { ...target.stdio, args, env } }],
    authentication: { mode: 'optional', apiKeys: [{ name: 'ci', key: secret('api-key') }] },
  })
  await waitUntil(() => toldTimes(gateway) >= before + 2, 'the new child to tell')
  expect(stderrOf(gateway)).toContain('given: no secret at all')

  const session = await openSession(gateway.url)
  const { url: adminUrl } = gateway.log.find((it) => it['msg'] === 'admin listener') ?? {}
  const said = [
    (await session.request('tools/list')).text,
    (await get(`${String(adminUrl)}/api/v1/targets`)).text,
    (await get(`${new URL(gateway.url).origin}/readyz`)).text,
  ]
  expect(said[1]).toContain('no tools for')
  await gateway.stop()
  for (const name of Object.keys(references)) delete process.env[name]
  const around = JSON.stringify([said, gateway.log]).split(PLANTED)
  expect(around.slice(1).map((it) => it.slice(0, 60))).toEqual([])
})
