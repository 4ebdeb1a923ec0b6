/** The listener for those who run the gateway. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { createLogger } from '../../src/telemetry/logging.js'
import { configSchema } from '../../src/config/schema.js'
import { startGateway as start } from '../../src/gateway.js'
import { problemsOf } from '../support/config.js'
import { spawnGateway, startGateway } from '../support/gateway.js'
import { get } from '../support/raw-client.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const TOKEN = 'a-token-for-the-test'

describe('the admin listener', () => {
  it('tells Prometheus of targets and their lists, as they are at the scrape', async () => {
    await using upstream = await startEcho({ prompts: [{ name: 'p' }] })
    await using gateway = await startGateway({
      admin: { port: 0 },
      targets: [
        { name: 'up', mcp: { url: upstream.url } },
        { name: 'down', mcp: { url: 'http://127.0.0.1:1/mcp' } },
      ],
    })
    const scrape = async () => (await get(`${gateway.adminUrl}/metrics`)).text
    const text = await scrape()
    expect(text).toContain('# TYPE mcp_junction_target_up gauge')
    expect(text).toContain('mcp_junction_target_up{target="up"} 1')
    expect(text).toContain('mcp_junction_target_up{target="down"} 0')
    expect(text).toContain(
      'mcp_junction_target_info{target="up",transport="http",era="legacy",version="2025-11-25"} 1',
    )
    expect(text).toContain('mcp_junction_catalog_items{target="up",kind="tools"} 1')
    expect(text).toContain('mcp_junction_catalog_items{target="up",kind="prompts"} 1')
    expect(text).toContain('mcp_junction_discovery_problems 0')
    await upstream.kill()
    const isDown = async () => (await scrape()).includes('mcp_junction_target_up{target="up"} 0')
    await waitUntil(isDown, 'the loss to be shown')
  })

  it('counts configurations applied and refused', async () => {
    await using gateway = await spawnGateway({ admin: { port: 0 }, targets: [] })
    const { url } = gateway.log.find((it) => it['msg'] === 'admin listener') ?? {}
    const shows = (line: string) => async () =>
      (await get(`${String(url)}/metrics`)).text.includes(line)
    await gateway.reconfigure('{')
    await waitUntil(shows('mcp_junction_config_reloads_total{outcome="refused"} 1'), 'the refusal')
    await gateway.reconfigure({
      admin: { port: 0 },
      targets: [],
      federation: { instructions: 'x' },
    })
    await waitUntil(shows('mcp_junction_config_reloads_total{outcome="applied"} 1'), 'the change')
  })

  it('shows the targets, and nothing that may be secret', async () => {
    await using upstream = await startEcho()
    await using gateway = await startGateway({
      admin: { port: 0 },
      targets: [
        { name: 'a', mcp: { url: `${upstream.url}?key=s3cr3t` } },
        { name: 'b', stdio: { command: '/bin/false', args: ['s3cr3t'], env: { K: 's3cr3t' } } },
      ],
    })
    const { json, text } = await get(`${gateway.adminUrl}/api/v1/targets`)
    expect(json).toMatchObject({
      targets: [
        {
          name: 'a',
          transport: 'http',
          address: upstream.url,
          state: 'ready',
          era: 'legacy',
          protocolVersion: '2025-11-25',
          counts: { tools: 1, prompts: 0, resources: 0, templates: 0 },
        },
        { name: 'b', transport: 'stdio', address: 'false', state: 'unreachable' },
      ],
      sources: [],
      resources: [],
      problems: [],
    })
    expect(text).not.toContain('s3cr3t')
  })

  it('lets nobody in without its token, by another name, or from a page elsewhere', async () => {
    await using gateway = await startGateway({ admin: { port: 0, token: TOKEN }, targets: [] })
    const status = async (path: string, headers: Record<string, string>) =>
      (await get(`${gateway.adminUrl}${path}`, headers)).status
    for (const path of ['/metrics', '/api/v1/targets']) {
      expect(await status(path, {})).toBe(401)
      expect(await status(path, { authorization: `Bearer ${TOKEN}x` })).toBe(401)
      expect(await status(path, { authorization: `Bearer ${TOKEN}` })).toBe(200)
      const token = { authorization: `Bearer ${TOKEN}` }
      expect(await status(path, { ...token, host: 'evil.example' })).toBe(403)
      expect(await status(path, { ...token, origin: 'https://evil.example' })).toBe(403)
    }
    expect(await status('/readyz', {})).toBe(200)
    expect(await status('/mcp', { authorization: `Bearer ${TOKEN}` })).toBe(404)
  })

  it('needs a token where it can be reached from elsewhere', async () => {
    expect(await problemsOf('admin: { host: 0.0.0.0 }')).toEqual([
      '1:1 admin.token: is required where the listener can be reached from elsewhere',
    ])
    expect(await problemsOf('admin: { token: short }')).toEqual([
      '1:10 admin.token: expected at least 16 characters',
    ])
  })

  it('that was not asked for leaves the gateway to serve where its port is taken', async () => {
    const other = createServer().listen(9090, '127.0.0.1')
    await once(other, 'listening')
    const config = configSchema.parse({ listen: { port: 0 }, targets: [] })
    const gateway = await start(config, { logger: createLogger('silent') })
    expect(gateway.adminUrl).toBeUndefined()
    expect((await get(gateway.url.replace('/mcp', '/readyz'))).status).toBe(200)
    await gateway.close()
    const asked = configSchema.parse({ listen: { port: 0 }, admin: { port: 9090 }, targets: [] })
    await expect(start(asked, { logger: createLogger('silent') })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    })
    other.close()
  })
})
