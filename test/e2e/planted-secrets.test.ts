/** Secrets of every kind, planted wherever one can be, and looked for in everything that a run puts out. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { AuthorizationServer } from '../support/authorization-server.js'
import type { SpawnedGateway } from '../support/gateway.js'
import { spawnGateway } from '../support/gateway.js'
import type { Headers } from '../support/raw-client.js'
import { get, initializeRequest, openSession, post } from '../support/raw-client.js'
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

it('no secret is in a log, an answer, an error, a metric, a report or what commands print', async () => {
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
  const config = {
    admin: { port: 0, token: secret('admin') },
    sessions: { keys: [SESSION_KEY] },
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
          args: ['-e', 'process.exit(3)', secret('argument')],
          env: { TOKEN: secret('env') },
        },
      },
    ],
  }
  await using gateway = await spawnGateway(config)
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

  const { url: adminUrl } = gateway.log.find((it) => it['msg'] === 'admin listener') ?? {}
  for (const path of ['/metrics', '/api/v1/targets', '/nothing']) {
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
  await gateway.reconfigure(`{ "targets": [ "${secret('syntax')}" "${secret('syntax')}`)
  await refusedTimes(gateway, 2)
  said.push(await command('serve', '--config', gateway.file))
  await gateway.stop()

  const everything = JSON.stringify([said, gateway.log])
  expect(everything.length).toBeGreaterThan(5_000)
  const around = everything.split(PLANTED).slice(1)
  expect(around.map((it) => it.slice(0, 60))).toEqual([])
  expect(everything).not.toContain(SESSION_KEY)
  expect(everything).not.toContain(session.id)
})
