import { describe, expect, it } from 'vitest'
import { mcpServersSchema } from '../../discovery/index.js'

const endpointsOf = (servers: object) =>
  mcpServersSchema.parse(servers).map(({ endpoint }) => endpoint)

/** The first issue, as `path: message`. */
function refusalOf(servers: object) {
  const issue = mcpServersSchema.safeParse(servers).error?.issues[0]
  return `${issue?.path.join('.')}: ${issue?.message}`
}

describe('a pasted mcpServers map', () => {
  it('makes programs of entries with a command', () => {
    const [endpoint] = endpointsOf({
      files: { command: 'npx', args: ['-y', 'server'], env: { A: 'b' }, cwd: '/srv' },
    })
    expect(endpoint).toEqual({
      kind: 'stdio',
      command: 'npx',
      args: ['-y', 'server'],
      env: { A: 'b' },
      cwd: '/srv',
      scope: 'principal',
    })
    expect(endpointsOf({ a: { type: 'stdio', command: 'x' } })).toMatchObject([{ command: 'x' }])
  })

  it.each([undefined, 'http', 'streamable-http', 'streamableHttp'])(
    'makes servers of entries with a url and the type %s',
    (type) => {
      const entry = { type, url: 'http://h/mcp', headers: {} }
      expect(endpointsOf({ a: entry })).toEqual([
        { kind: 'http', url: 'http://h/mcp', protocol: 'streamable' },
      ])
    },
  )

  it('makes servers of the older transport of entries of type sse', () => {
    expect(endpointsOf({ a: { type: 'sse', url: 'http://h/sse' } })).toEqual([
      { kind: 'http', url: 'http://h/sse', protocol: 'sse' },
    ])
  })

  it('ignores the keys that other products add', () => {
    const entry = { command: 'x', autoApprove: ['a'], gallery: true, envFile: '.env' }
    expect(mcpServersSchema.parse({ a: entry })).toHaveLength(1)
  })

  it('leaves out what is disabled, whatever it is', () => {
    const servers = {
      a: { command: 'x', disabled: true },
      b: { type: 'sse', url: 'nope', disabled: true },
      c: { command: 'x', disabled: false },
    }
    expect(mcpServersSchema.parse(servers)).toMatchObject([{ name: 'c' }])
  })

  it.each([
    ['Files', 'files'],
    ['@scope/My Server_2', '-scope-my-server-2'],
    ['Übung', '-bung'],
    ['x'.repeat(70), 'x'.repeat(63)],
  ])('makes of the key %s the name %s', (key, name) => {
    expect(mcpServersSchema.parse({ [key]: { command: 'x' } })).toMatchObject([
      { name, prefix: name },
    ])
  })

  it('refuses keys that become the same name', () => {
    expect(refusalOf({ 'a b': { command: 'x' }, 'A-B': { command: 'x' } })).toBe(
      'A-B: "a b" and "A-B" both become the target "a-b"',
    )
  })

  it.each([
    [{ type: 'sse', command: 'x' }, 'a.type: a server of this type needs "url"'],
    [
      { command: 'x', headers: { authorization: 'x' } },
      'a.headers: a child process has no headers; give it "env"',
    ],
    [{}, 'a: expected either "command" or "url"'],
    [{ command: 'x', url: 'http://h/mcp' }, 'a: expected either "command" or "url"'],
    [{ type: 'http', command: 'x' }, 'a.type: a server of this type needs "url"'],
    [{ type: 'stdio', url: 'http://h/mcp' }, 'a.type: a server of this type needs "command"'],
    [{ url: 'nope' }, 'a.url: expected an http:// or https:// URL'],
  ])('refuses %j', (server, refusal) => {
    expect(refusalOf({ a: server })).toContain(refusal)
  })

  it('refuses an empty key', () => {
    expect(mcpServersSchema.safeParse({ '': { command: 'x' } }).success).toBe(false)
  })

  it('tells what is wrong with each server, not only with the first', () => {
    const { error } = mcpServersSchema.safeParse({
      a: { url: 'nope' },
      b: { type: 'sse', command: 'x' },
      c: {},
    })
    expect(error?.issues.map(({ path }) => path)).toEqual([['a', 'url'], ['b', 'type'], ['c']])
  })
})
