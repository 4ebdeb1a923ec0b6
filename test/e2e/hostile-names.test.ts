/** Names chosen to be obeyed: by whoever reads the log, by terminals, and by what keeps a series for each name. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { spawnGateway, startGateway } from '../support/gateway.js'
import { Issuer } from '../support/issuer.js'
import { ModernClient } from '../support/modern-client.js'
import { get, initializeRequest, openSession, post } from '../support/raw-client.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const CLI = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url))
/** A second entry, colours, a cleared screen in both ways to write it, a changed direction, ends of lines of all kinds. */
const EVIL =
  'x\n{"level":60,"msg":"forged"}\r\x1b[31m\x1b]0;title\x07\x9b2J\u202e\u2028\u2029\u0085\x7f\0"\\\u{e0041}'
/** What must be nowhere in what is put out, but for the ends of lines. */
const OBEYED = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u

describe('a log', () => {
  it('has one entry a line, and nothing that a terminal obeys, whatever names are', async () => {
    const issuer = await Issuer.start()
    await using upstream = await startEcho({
      tools: [{ name: EVIL, inputSchema: { type: 'object' } }],
      resources: [{ uri: `note://${EVIL}`, name: EVIL }],
      prompts: [{ name: EVIL }],
    })
    const script = `process.stderr.write(${JSON.stringify(EVIL)} + '\\n'); setInterval(() => {}, 1000)
      process.stdout.write(${JSON.stringify(EVIL)} + '\\n'); process.stdin.on('close', () => process.exit())`
    await using gateway = await spawnGateway({
      targets: [
        { name: 't', mcp: { url: upstream.url } },
        {
          name: 'child',
          stdio: { command: process.execPath, args: ['-e', script] },
          timeouts: { open: '500ms' },
        },
      ],
      authentication: {
        mode: 'strict',
        jwt: [{ issuer: issuer.url, audiences: ['gateway'], jwks: { url: `${issuer.url}/keys` } }],
      },
      authorization: { rules: [{ deny: 'mcp.phase == "call"' }] },
    })
    let text = ''
    gateway.process.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()))
    const headers = {
      authorization: `Bearer ${await issuer.token({ subject: EVIL })}`,
      'x-evil': '\x9b2J\xff',
    }
    const { params, ...rest } = initializeRequest()
    const clientInfo = { name: EVIL, version: EVIL }
    await post(gateway.url, { ...rest, params: { ...params, clientInfo } }, headers)
    const session = await openSession(gateway.url, undefined, {}, headers)
    const { json } = await session.request('tools/list')
    const { tools } = json['result'] as { tools: JsonObject[] }
    await session.call(String(tools[0]?.['name']))
    await session.call(EVIL)
    await session.request('prompts/get', { name: EVIL })
    await session.request('resources/read', { uri: `note://${EVIL}` })
    await session.request(EVIL)
    const meta = { 'io.modelcontextprotocol/clientInfo': clientInfo }
    await new ModernClient(gateway.url).call(
      EVIL,
      {},
      { meta, headers: { ...headers, 'mcp-name': 'x' } },
    )
    const of = (msg: string) => gateway.log.filter((it) => it['msg'] === msg)
    await waitUntil(() => of('denied').length >= 4 && of('server log').length > 0, 'the entries')
    await gateway.stop()
    await issuer[Symbol.asyncDispose]()

    expect(of('forged')).toEqual([])
    expect(of('denied').map((it) => it['who'])).toContain(EVIL)
    expect(text).toContain('denied')
    expect(OBEYED.exec(text)).toBeNull()
    for (const line of text.trimEnd().split('\n')) expect(JSON.parse(line)).toHaveProperty('level')
  })

  it('and what commands print is obeyed by no terminal either', async () => {
    await using upstream = await startEcho({ tools: [{ name: EVIL, inputSchema: {} }] })
    const target = { name: 't', prefix: '', mcp: { url: upstream.url }, guard: 'warn' }
    await using gateway = await spawnGateway({ targets: [target] })
    for (const args of [
      ['explain', '--config', gateway.file, '--tool', 'none'],
      ['lock', '--check', '--config', gateway.file],
      ['probe', upstream.url, '--call', 'none'],
    ]) {
      const printed = await new Promise<string>((resolve) => {
        execFile(process.execPath, [CLI, ...args], (_error, stdout, stderr) =>
          resolve(stdout + stderr),
        )
      })
      expect(printed.length).toBeGreaterThan(20)
      expect(OBEYED.exec(printed)).toBeNull()
    }
  })
})

describe('metrics of what is denied and limited', () => {
  it('have no more series, however many names, clients and principals there are', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `tool-${index}-${'x'.repeat(200)}`)
    await using upstream = await startEcho({
      tools: names.map((name) => ({ name, inputSchema: {} })),
    })
    await using issuer = await Issuer.start()
    await using gateway = await startGateway({
      admin: { port: 0 },
      targets: [{ name: 't', prefix: '', mcp: { url: upstream.url } }],
      authentication: {
        mode: 'optional',
        jwt: [{ issuer: issuer.url, audiences: ['gateway'], jwks: { url: `${issuer.url}/keys` } }],
      },
      authorization: { rules: [{ deny: 'mcp.phase == "call"' }] },
      limits: [{ per: ['principal', 'tool'], rate: '1/1m' }],
      telemetry: { metrics: { principals: 0 } },
    })
    const scrape = async () => (await get(`${gateway.adminUrl}/metrics`)).text
    const series = (text: string) =>
      text.split('\n').filter((line) => /^mcp_junction_(denied|limited)_total/.test(line)).length
    const before = series(await scrape())
    const client = new ModernClient(gateway.url)
    const session = await openSession(gateway.url)
    for (let index = 0; index < 100; index++) {
      const headers = { authorization: `Bearer ${await issuer.token({ subject: `s${index}` })}` }
      const meta = {
        'io.modelcontextprotocol/clientInfo': { name: `c${index}`, version: `${index}` },
      }
      await Promise.all([
        client.call(`unknown-${index}`, {}, { headers, meta }),
        client.request(`method-${index}`, {}, { headers, meta }),
        session.request('prompts/get', { name: `unknown-${index}` }),
        session.request('resources/read', { uri: `unknown://${index}` }),
      ])
    }
    // Of all that, only uses of what is there, and is denied, have a name: and of those there is an end.
    expect(series(await scrape()) - before).toBeLessThanOrEqual(3)
    await Promise.all(names.map((name) => session.call(name)))
    const text = await scrape()
    expect(series(text)).toBeGreaterThanOrEqual(names.length)
    for (const [, name = ''] of text.matchAll(/ name="([^"]*)"|,name="([^"]*)"/g)) {
      expect(name.length).toBeLessThanOrEqual(128)
    }
  })
})
