import { describe, expect, it } from 'vitest'
import { problemsOf } from '../../support/config.js'

const target = (rest: string) => `targets: [{ name: a, ${rest} }]`

describe('a bad value is told by what was expected', () => {
  const url = 'expected an http:// or https:// URL without user name, password or fragment'
  const duration = 'expected a duration such as 250ms, 10s, 5m or 1h'
  const redisUrl = 'expected a URL such as redis://redis.example.com:6379/0, or rediss:// for TLS'
  const oddUrl =
    'expected no more than user, password, host, port and the number of a database; other characters in a password are written %XX, or it stands in "password"'
  const key = 'expected 32 bytes in base64 or hex, such as `openssl rand -base64 32` makes'

  it.each([
    [target('mcp: { url: nope }'), 'targets[0].mcp.url', url],
    [target('mcp: { url: "ftp://h/mcp" }'), 'targets[0].mcp.url', url],
    [target('mcp: { url: "http://me:pw@h/mcp" }'), 'targets[0].mcp.url', url],
    [
      target('mcp: { host: "a b" }'),
      'targets[0].mcp.host',
      'expected a host name, an address or an http:// or https:// URL',
    ],
    [
      target('mcp: { host: h, path: x }'),
      'targets[0].mcp.path',
      'expected a path that starts with "/"',
    ],
    [target('mcp: { host: h, port: 70000 }'), 'targets[0].mcp.port', 'expected at most 65535'],
    [
      target('mcp: { host: h, port: "x" }'),
      'targets[0].mcp.port',
      'expected a port number from 1 to 65535',
    ],
    [
      target('mcp: { host: h, port: [] }'),
      'targets[0].mcp.port',
      'expected a number or a string, found a list',
    ],
    [target('mcp: "http://h"'), 'targets[0].mcp', 'expected a mapping, found a string'],
    [target('mcp:'), 'targets[0].mcp', 'expected a mapping, found nothing'],
    [target('static: { host: h }'), 'targets[0].static.port', 'is missing'],
    [target('stdio: {}'), 'targets[0].stdio', 'expected exactly one of "command" and "cmd"'],
    [
      target('stdio: { command: a, cmd: b }'),
      'targets[0].stdio',
      'expected exactly one of "command" and "cmd"',
    ],
    [
      target('stdio: { command: a, env: { A: 1 } }'),
      'targets[0].stdio.env.A',
      'expected a string, found a number; put it in quotes',
    ],
    [
      target('stdio: { command: a, scope: all }'),
      'targets[0].stdio.scope',
      'expected "principal", "session" or "shared"',
    ],
    [
      'targets: [{ name: a }]',
      'targets[0]',
      'expected exactly one of "mcp", "sse", "stdio" and "static"',
    ],
    [
      target('mcp: { host: h }, stdio: { command: a }'),
      'targets[0]',
      'expected exactly one of "mcp", "sse", "stdio" and "static"',
    ],
    ['targets: [{ mcp: { host: h } }]', 'targets[0].name', 'is missing'],
    [
      'targets: [{ name: A_b, mcp: { host: h } }]',
      'targets[0].name',
      'expected 1 to 63 characters from a-z, 0-9 and "-"',
    ],
    ['targets: [text]', 'targets[0]', 'expected a mapping, found a string'],
    ['targets: {}', 'targets', 'expected a list, found a mapping'],
    [target('mcp: { host: h }, timeouts: { call: 5 s }'), 'targets[0].timeouts.call', duration],
    [target('mcp: { host: h }, timeouts: { call: 5 }'), 'targets[0].timeouts.call', duration],
    [
      target('mcp: { host: h }, retries: { on: [timeout] }'),
      'targets[0].retries.on[0]',
      'expected "connect-failure", "reset" or a status from "400" to "599"',
    ],
    [
      target('mcp: { host: h }, retries: { attempts: 11 }'),
      'targets[0].retries.attempts',
      'expected at most 10',
    ],
    [
      target('mcp: { host: h }, circuitBreaker: { ejection: 0s }'),
      'targets[0].circuitBreaker.ejection',
      'expected a duration above zero',
    ],
    ['workers: 0', 'workers', 'expected a number from 1 to 256, or "auto"'],
    ['workers: many', 'workers', 'expected a number from 1 to 256, or "auto"'],
    [
      'workers: 2\nlisten: { legacySse: true }\nsessions: { peers: false }',
      'listen.legacySse',
      'cannot be served by several "workers" without "sessions.peers"',
    ],
    ['sessions: { idleTimeout: soon }', 'sessions.idleTimeout', duration],
    ['sessions: { maxAge: 0s }', 'sessions.maxAge', 'expected a duration above zero'],
    ['sessions: { max: 0 }', 'sessions.max', 'expected at least 1'],
    ['sessions: { keys: [c2hvcnQ=] }', 'sessions.keys[0]', key],
    [`sessions: { keys: [${'z'.repeat(64)}] }`, 'sessions.keys[0]', key],
    ['store: {}', 'store.redis', 'is missing'],
    ['store: { redis: {} }', 'store.redis.url', 'is missing'],
    ['store: { redis: { url: "h:6379" } }', 'store.redis.url', redisUrl],
    ['store: { redis: { url: "redis://" } }', 'store.redis.url', redisUrl],
    ['store: { redis: { url: "redis://:a/b@h" } }', 'store.redis.url', redisUrl],
    ['store: { redis: { url: "redis://h/zero" } }', 'store.redis.url', oddUrl],
    ['store: { redis: { url: "redis://h/0?x=y" } }', 'store.redis.url', oddUrl],
    ['store: { redis: { url: "redis://:%zz@h" } }', 'store.redis.url', oddUrl],
    [
      'store: { redis: { url: "redis://:a@h", password: b } }',
      'store.redis.password',
      'stands in "url" as well',
    ],
    [
      'store: { redis: { url: "redis://h", tls: { ca: x } } }',
      'store.redis.tls',
      'only an address with rediss:// has TLS',
    ],
    [
      'store: { redis: { url: "redis://h", timeout: 0s } }',
      'store.redis.timeout',
      'expected a duration above zero, up to 10s',
    ],
    [
      'store: { redis: { url: "redis://h", whenDown: maybe } }',
      'store.redis.whenDown',
      'expected "open" or "closed"',
    ],
    ['listen: { port: -1 }', 'listen.port', 'expected at least 0'],
    ['listen: { port: "65536" }', 'listen.port', 'expected a port number from 0 to 65535'],
    ['listen: { path: /healthz }', 'listen.path', 'this path is taken by the gateway itself'],
    ['listen: { maxBodyBytes: 1 }', 'listen.maxBodyBytes', 'expected at least 1024'],
    [
      'listen: { maxBodyBytes: 2048.5 }',
      'listen.maxBodyBytes',
      'expected a whole number, found a fraction',
    ],
    [
      'listen: { allowedHosts: ["http://h"] }',
      'listen.allowedHosts[0]',
      'expected a host such as example.com or example.com:8080',
    ],
    [
      'federation: { serverInfo: { name: "" } }',
      'federation.serverInfo.name',
      'expected at least one character',
    ],
    ['federation: { single: yes }', 'federation.single', 'expected true or false, found a string'],
    [
      'federation: { naming: { separator: "::" } }',
      'federation.naming.separator',
      'expected 1 to 8 characters from A-Z, a-z, 0-9, "_" and "-"',
    ],
  ])('%s', async (text, path, message) => {
    const problems = await problemsOf(text)
    expect(problems.map((line) => line.replace(/^\d+:\d+ /, ''))).toEqual([`${path}: ${message}`])
  })

  it('refuses instructions beyond their limit', async () => {
    const text = `federation: { instructions: ${'x'.repeat(8193)} }`
    expect(await problemsOf(text)).toEqual([
      '1:15 federation.instructions: expected at most 8192 characters',
    ])
  })

  it.each(['mcp', '/', '/mcp/', '/mcp?a=b', '/a/../b', '/a//b', '/:a', '/*'])(
    'refuses to listen at the path %s',
    async (path) => {
      expect(await problemsOf(`listen: { path: "${path}" }`)).toEqual([
        expect.stringContaining('listen.path: expected a path such as /mcp'),
      ])
    },
  )

  it.each(['h', 'https://h/', 'https://h/path', 'https://h:443', 'https://me@h', '**'])(
    'refuses to let in the origin %s',
    async (origin) => {
      expect(await problemsOf(`listen: { allowedOrigins: ["${origin}"] }`)).toEqual([
        expect.stringContaining('listen.allowedOrigins[0]: expected an origin'),
      ])
    },
  )
})

it('tells all problems at once, in reading order, each at its line and column', async () => {
  const text = `listen:
  port: 70000
targets:
  - name: a
    mcp: { url: nope }
  - name: b
    stdio:
      command: ''
      scope: all
  - mcp: { host: "\${HOST}" }
mcpServers:
  c: { type: sse, command: x }
  d: { url: nope }
sessions: { max: many }
`
  expect(await problemsOf(text)).toEqual([
    '2:3 listen.port: expected at most 65535',
    '5:12 targets[0].mcp.url: expected an http:// or https:// URL without user name, password or fragment',
    '8:7 targets[1].stdio.command: expected at least one character',
    '9:7 targets[1].stdio.scope: expected "principal", "session" or "shared"',
    '10:5 targets[2].name: is missing',
    '10:12 targets[2].mcp.host: the environment variable HOST is not set',
    '12:8 mcpServers.c.type: a server of this type needs "url"',
    '13:8 mcpServers.d.url: expected an http:// or https:// URL without user name, password or fragment',
    '14:13 sessions.max: expected a number, found a string',
  ])
})
