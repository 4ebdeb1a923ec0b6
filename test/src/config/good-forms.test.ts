import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../../src/config/load.js'
import { folderOf, load } from '../../support/config.js'

async function endpointOf(form: string) {
  const { targets } = await load(`targets: [{ name: a, ${form} }]`)
  return targets[0]?.endpoint
}

describe('a target', () => {
  it.each([
    ['mcp: { url: "http://h:3001/mcp" }', 'http://h:3001/mcp'],
    ['mcp: { url: "https://h/a/b?c=d" }', 'https://h/a/b?c=d'],
    ['mcp: { host: h }', 'http://h/mcp'],
    ['mcp: { host: h, port: 3001, path: /x }', 'http://h:3001/x'],
    ['mcp: { host: h, port: "3001" }', 'http://h:3001/mcp'],
    ['mcp: { host: "::1", port: 3001 }', 'http://[::1]:3001/mcp'],
    ['mcp: { host: "http://h:3001/x" }', 'http://h:3001/x'],
    ['static: { host: h, port: 3001 }', 'http://h:3001/mcp'],
    ['static: { host: h, port: 3001, path: /x, protocol: StreamableHTTP }', 'http://h:3001/x'],
  ])('may be written %s', async (form, url) => {
    expect(await endpointOf(form)).toEqual({ kind: 'http', url, protocol: 'streamable' })
  })

  it.each([
    ['sse: { url: "http://h:3001/sse" }', 'http://h:3001/sse'],
    ['sse: { host: h }', 'http://h/sse'],
    ['static: { host: h, port: 3001, protocol: SSE }', 'http://h:3001/sse'],
  ])('of the older transport may be written %s', async (form, url) => {
    expect(await endpointOf(form)).toEqual({ kind: 'http', url, protocol: 'sse' })
  })

  it.each(['command', 'cmd'])('may be a program named by %s', async (key) => {
    const form = `stdio: { ${key}: npx, args: [-y, server], env: { A: b }, cwd: /srv, scope: shared }`
    expect(await endpointOf(form)).toEqual({
      kind: 'stdio',
      command: 'npx',
      args: ['-y', 'server'],
      env: { A: 'b' },
      cwd: '/srv',
      scope: 'shared',
    })
  })

  it('takes what every target may have', async () => {
    const { targets } = await load(`
targets:
  - name: search
    mcp: { host: h }
    prefix: ''
    include: ['read_*']
    exclude: ['*_admin']
    timeouts: { connect: 250ms, open: 1s, list: 2m, call: 1h, idle: 0s, tools: { 'index_*': 5m }, resetOnProgress: false }
    retries: { attempts: 3, on: [reset, '503', 500], backoff: 1s, annotated: true, budget: 50 }
    circuitBreaker: { consecutiveFailures: 7, interval: 1m, ejection: 5s, maxConnections: 8, maxPending: 9 }
    health: { interval: 0s, timeout: 1s }
    roots: true
    era: legacy
    parkCalls: true
    stateful: true
    traffic: passThrough
    maxBodyBytes: 4096
    attributes: [{ method: tools/call, path: params.arguments.repo, as: r, metric: true }]
`)
    expect(targets).toEqual([
      {
        name: 'search',
        endpoint: { kind: 'http', url: 'http://h/mcp', protocol: 'streamable' },
        prefix: '',
        include: ['read_*'],
        exclude: ['*_admin'],
        timeouts: {
          connectMs: 250,
          openMs: 1000,
          listMs: 120_000,
          callMs: 3_600_000,
          idleMs: 0,
          toolsMs: { 'index_*': 300_000 },
          resetOnProgress: false,
        },
        retries: {
          attempts: 3,
          on: ['reset', '503', '500'],
          backoffMs: 1000,
          annotated: true,
          budget: 0.5,
        },
        circuitBreaker: {
          consecutiveFailures: 7,
          intervalMs: 60_000,
          ejectionMs: 5_000,
          maxConnections: 8,
          maxPending: 9,
        },
        health: { intervalMs: 0, timeoutMs: 1000 },
        roots: true,
        era: 'legacy',
        parkCalls: true,
        stateful: true,
        traffic: 'passThrough',
        maxBodyBytes: 4096,
        attributes: [
          { method: 'tools/call', path: 'params.arguments.repo', as: 'r', metric: true },
        ],
        guard: 'off',
        forward: [],
        headers: {},
      },
    ])
  })

  it('gets defaults for what is left out', async () => {
    const { targets } = await load('targets: [{ name: search, mcp: { host: h } }]')
    expect(targets).toMatchObject([
      { prefix: 'search', include: [], exclude: [], timeouts: { connectMs: 2000, callMs: 60_000 } },
    ])
  })
})

describe('a configuration', () => {
  it('gets defaults for the sections that are left out', async () => {
    expect(await load('targets: []')).toEqual({
      authentication: {
        apiKeys: [],
        jwt: [],
        mode: 'off',
        resourceMetadata: { scopesSupported: [] },
      },
      authorization: { rules: [], toolScopes: {} },
      attributes: [],
      limits: [],
      workers: 1,
      kubernetes: {
        address: 'service',
        backends: false,
        clusterDomain: 'cluster.local',
        externalNames: true,
      },
      resources: [],
      approvals: {},
      substituted: [],
      warnings: [],
      variations: [],
      selectors: [],
      listen: {
        host: '127.0.0.1',
        port: 8080,
        path: '/mcp',
        drain: { delay: 0, deadline: 10_000 },
        overload: { maxRequests: 10_000, maxStreams: 100_000, maxMemory: 0.9, maxDelay: 2000 },
        legacySse: false,
        maxBodyBytes: 4_194_304,
        allowedHosts: [],
        allowedOrigins: [],
        ipFilter: { allow: [], deny: [] },
        trustedProxies: [],
      },
      targets: [],
      federation: {
        naming: { mode: 'always', separator: '__' },
        failureMode: 'open',
        instructions: '',
        serverInfo: { name: 'mcp-junction' },
        attribution: true,
        includeContext: 'none',
        single: true,
      },
      sessions: {
        keys: [],
        idleTimeoutMs: 1_800_000,
        maxAgeMs: 86_400_000,
        max: 100_000,
        peers: { port: 0 },
      },
      telemetry: {
        traces: { ratio: 1, parentBased: true, baggage: false, content: false },
        metrics: { principals: 1_000 },
        accessLog: true,
      },
    })
  })

  it('takes every setting of every section', async () => {
    const config = await load(`
listen:
  host: '::'
  port: 0
  path: /gateway/mcp
  legacySse: true
  maxBodyBytes: 1024
  allowedHosts: [Gateway.example.com, 'gateway.example.com:8443']
  allowedOrigins: ['https://App.example.com', 'http://localhost:6274', 'vscode-webview://abc', '*']
  drain: { delay: 5s, deadline: 1m }
  overload: { maxRequests: 1, maxStreams: 2, maxHeldBytes: 1024, maxMemory: 1, maxDelay: 0s }
  ipFilter: { allow: ['fd00::/8'], deny: ['fd00::1'] }
  trustedProxies: [10.0.0.0/8]
federation:
  naming: { mode: conflict, separator: '-' }
  failureMode: closed
  instructions: Be kind.
  serverInfo: { name: tools, version: 1.2.3, title: Our tools }
  attribution: false
  includeContext: pass
  single: false
sessions: { idleTimeout: 1m, maxAge: 2h, max: 1, peers: { host: 10.0.0.5, port: "7946" } }
telemetry:
  otlp: { endpoint: 'http://127.0.0.1:4318', protocol: http/json, headers: { X-Team: a } }
  traces: { sampler: 0.01, parentBased: false, baggage: true, content: true }
  metrics: { principals: 0 }
  accessLog: false
  logLevel: error
`)
    expect(config.listen).toEqual({
      host: '::',
      ipFilter: { allow: ['fd00::/8'], deny: ['fd00::1'] },
      trustedProxies: ['10.0.0.0/8'],
      port: 0,
      path: '/gateway/mcp',
      drain: { delay: 5000, deadline: 60_000 },
      overload: { maxRequests: 1, maxStreams: 2, maxHeldBytes: 1024, maxMemory: 1, maxDelay: 0 },
      legacySse: true,
      maxBodyBytes: 1024,
      allowedHosts: ['gateway.example.com', 'gateway.example.com:8443'],
      allowedOrigins: [
        'https://app.example.com',
        'http://localhost:6274',
        'vscode-webview://abc',
        '*',
      ],
    })
    expect(config.federation).toEqual({
      naming: { mode: 'conflict', separator: '-' },
      failureMode: 'closed',
      instructions: 'Be kind.',
      serverInfo: { name: 'tools', version: '1.2.3', title: 'Our tools' },
      attribution: false,
      includeContext: 'pass',
      single: false,
    })
    expect(config.sessions).toMatchObject({
      idleTimeoutMs: 60_000,
      maxAgeMs: 7_200_000,
      max: 1,
      peers: { host: '10.0.0.5', port: 7946 },
    })
    expect(config.telemetry).toEqual({
      otlp: {
        endpoint: 'http://127.0.0.1:4318',
        protocol: 'http/json',
        headers: { 'x-team': 'a' },
      },
      traces: { ratio: 0.01, parentBased: false, baggage: true, content: true },
      metrics: { principals: 0 },
      accessLog: false,
      logLevel: 'error',
    })
  })

  it.each([
    ['url: "redis://h"', {}],
    ['url: "redis://h:6380/2"', { port: 6380, database: 2 }],
    ['url: "redis://[::1]:6380/"', { host: '::1', port: 6380 }],
    ['url: "rediss://h", tls: { ca: /ca.pem }', { isTls: true, caFile: '/ca.pem' }],
    ['url: "redis://me:p%2Fw@h"', { username: 'me', password: 'p/w' }],
    ['url: "redis://me@h", password: p/w', { username: 'me', password: 'p/w' }],
    ['url: "redis://h", username: me, password: "${PW}"', { username: 'me', password: 'p w' }],
    [
      'url: "redis://h", prefix: "a:", timeout: 1s, whenDown: closed',
      { prefix: 'a:', timeoutMs: 1_000, whenDown: 'closed' },
    ],
  ])('takes a store whose Redis is { %s }', async (text, more) => {
    const { store } = await load(`store: { redis: { ${text} } }`, { PW: 'p w' })
    const defaults = { prefix: 'mcp-junction:', timeoutMs: 100, whenDown: 'open' }
    const server = { host: 'h', port: 6379, isTls: false, database: 0 }
    expect(store).toEqual({ redis: { ...server, ...defaults, ...more } })
  })

  it.each([1, 4, 'auto'] as const)('takes %s as `workers`', async (workers) => {
    expect((await load(`workers: ${workers}`)).workers).toBe(workers)
  })

  it.each(['hex', 'base64', 'base64url'] as const)(
    'takes a session key in %s',
    async (encoding) => {
      // Bytes that base64 and base64url spell differently.
      const key = Buffer.alloc(32, 0xfb)
      const { sessions } = await load(`sessions: { keys: ["${key.toString(encoding)}"] }`)
      expect(sessions.keys).toEqual([key])
    },
  )

  it('may be JSON', async () => {
    const config = { targets: [{ name: 'a', mcp: { url: 'http://h/mcp' } }], listen: { port: 1 } }
    await using folder = await folderOf({
      'junction.json': JSON.stringify(config, undefined, '\t'),
    })
    const { targets, listen } = await loadConfig(join(folder.path, 'junction.json'), {})
    expect(targets).toMatchObject([{ name: 'a', endpoint: { url: 'http://h/mcp' } }])
    expect(listen.port).toBe(1)
  })

  it('may repeat parts of itself by aliases', async () => {
    const { targets } = await load(`
targets:
  - { name: a, mcp: { host: h }, timeouts: &patient { call: 5m } }
  - { name: b, mcp: { host: h }, timeouts: *patient }
`)
    expect(targets.map(({ timeouts }) => timeouts.callMs)).toEqual([300_000, 300_000])
  })

  it('adds the servers of a pasted mcpServers map to the targets', async () => {
    const { targets } = await load(`
targets: [{ name: a, mcp: { host: h } }]
mcpServers: { "My Files": { command: npx }, Search: { url: "http://h/mcp" } }
`)
    expect(targets.map(({ name }) => name)).toEqual(['a', 'my-files', 'search'])
  })
})
