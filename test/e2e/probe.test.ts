import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { startGateway } from '../support/gateway.js'
import { startRawHttp } from '../support/raw-http-server.js'
import { startEcho } from '../support/upstream-server.js'
import { startUpstreamV2 } from '../support/upstream-v2.js'

const CLI = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url))

async function probe(...args: readonly string[]) {
  const child = spawn(process.execPath, [CLI, 'probe', ...args])
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => (out += String(chunk)))
  child.stderr.on('data', (chunk) => (err += String(chunk)))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  const report = () => JSON.parse(out) as JsonObject
  return { code, out, err, report }
}

const milliseconds: unknown = expect.any(Number)

describe('mcp-junction probe', () => {
  it('tells what an older server speaks and has, and calls it', async () => {
    await using server = await startEcho({ prompts: [{ name: 'p' }] })
    const args = ['--call', 'echo', '--args', '{"x":1}', '--json']
    const { code, report } = await probe(server.url, ...args)
    expect(code).toBe(0)
    expect(report()).toMatchObject({
      ok: true,
      era: 'legacy',
      protocolVersion: '2025-11-25',
      server: { name: 'upstream', version: '1' },
      openMs: milliseconds,
      lists: {
        tools: { count: 1, ms: milliseconds },
        prompts: { count: 1 },
        resources: { count: 0 },
      },
      call: {
        tool: 'echo',
        isError: false,
        ms: milliseconds,
        result: { content: [{ text: '{"x":1}' }] },
      },
    })
  })

  it('tells what a server of 2026-07-28 speaks and has, of either era where it has both', async () => {
    await using server = await startUpstreamV2()
    const modern = (await probe(server.url, '--json')).report()
    expect(modern).toMatchObject({ ok: true, era: 'modern', protocolVersion: '2026-07-28' })
    const legacy = (await probe(server.url, '--json', '--era', 'legacy')).report()
    expect(legacy).toMatchObject({ ok: true, era: 'legacy', lists: { tools: { count: 1 } } })
  })

  it('tells people the same in words, for this gateway as well', async () => {
    await using server = await startEcho()
    await using gateway = await startGateway({ targets: [{ name: 'a', mcp: { url: server.url } }] })
    const { code, out } = await probe(gateway.url, '--call', 'a__echo')
    expect(code).toBe(0)
    expect(out).toMatch(/speaks +2026-07-28 \(modern\)\n +is +mcp-junction/)
    expect(out).toMatch(/tools +1 in .* ms/)
    expect(out).toMatch(/called +a__echo in .* ms\n/)
  })

  it('sends the token, and exits with 1 where the server does not do as it should', async () => {
    await using locked = await startRawHttp((_, response, { headers }) => {
      response.writeHead(headers.authorization === 'Bearer key' ? 500 : 401).end()
    })
    const without = await probe(locked.url)
    expect([without.code, without.out]).toEqual([1, expect.stringContaining('HTTP 401')])
    const withIt = await probe(locked.url, '--token', 'key')
    expect([withIt.code, withIt.out]).toEqual([1, expect.stringContaining('HTTP 500')])
    const nobody = await probe('http://127.0.0.1:1/mcp')
    expect([nobody.code, nobody.out]).toEqual([1, expect.stringContaining('refused')])
    await using server = await startEcho({
      handlers: { 'tools/call': () => ({ content: [], isError: true }) },
    })
    expect((await probe(server.url, '--call', 'echo')).code).toBe(1)
    expect((await probe(server.url, '--call', 'echo', '--era', 'modern')).code).toBe(1)
  })

  it.each([
    [[]],
    [['not a URL']],
    [['http://127.0.0.1:1', '--era', 'old']],
    [['http://127.0.0.1:1', '--args', '{}x', '--call', 'x']],
    [['http://127.0.0.1:1', '--args', '{"a":1}']],
    [['http://127.0.0.1:1', 'more']],
  ])('exits with 2 where it is called wrongly: %s', async (args) => {
    const { code, err } = await probe(...args)
    expect(code).toBe(2)
    expect(err).toContain('mcp-junction probe URL')
  })
})
