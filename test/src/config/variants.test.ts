/** Targets of several servers as the configuration writes them. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../../src/config/load.js'
import { folderOf, load, problemsOf } from '../../support/config.js'

const STABLE = '{ name: stable, mcp: { url: "http://h:1/mcp" } }'
const CANARY = '{ name: canary, mcp: { url: "http://h:2/mcp" } }'
const TRIAL = { 'x-team': 'trial' }
const varied = (variants: string, more = '') =>
  `targets: [{ name: a, variants: [${variants}]${more === '' ? '' : `, ${more}`} }]`

describe('a target with variants', () => {
  it('comes to one server for each, with what it says of itself in place of what the target says', async () => {
    const { targets, variations } = await load(`
targets:
  - name: search
    prefix: s
    headers: { set: { x-team: tools } }
    timeouts: { call: 5s }
    variants:
      - { name: stable, weight: 90, mcp: { url: 'http://h:1/mcp' } }
      - { name: canary, when: 'jwt.team == "search"', headers: { set: { x-team: trial } }, sse: { url: 'http://h:2/sse' } }
      - { name: local, auth: { bearer: t }, static: { host: h, port: 3 } }
    stickBy: { header: X-User }
    rollback: { errorRate: 0.5, interval: 10s, toolErrors: false }
`)
    const common = { name: 'search', prefix: 's', timeouts: { callMs: 5_000 } }
    const at = (url: string, protocol = 'streamable') => ({ endpoint: { url, protocol } })
    expect(targets).toMatchObject([
      { ...common, variant: 'stable', ...at('http://h:1/mcp'), headers: { 'x-team': 'tools' } },
      { ...common, variant: 'canary', ...at('http://h:2/sse', 'sse'), headers: TRIAL },
      { ...common, variant: 'local', headers: { 'x-team': 'tools', authorization: 'Bearer t' } },
    ])
    expect(variations).toEqual([
      {
        target: 'search',
        variants: [
          { name: 'stable', weight: 90 },
          { name: 'canary', weight: 0, when: 'jwt.team == "search"' },
          { name: 'local', weight: 1 },
        ],
        stickyHeader: 'x-user',
        rollback: { errorRate: 0.5, minCalls: 50, intervalMs: 10_000, toolErrors: false },
      },
    ])
  })

  it('takes paths relative to the file they are written in', async () => {
    const text = `
targets:
  - name: a
    variants:
      - { name: one, stdio: { command: ./one, cwd: data } }
      - { name: two, stdio: { cmd: ../two } }
`
    await using folder = await folderOf({ 'conf/junction.yaml': text })
    const { targets } = await loadConfig(join(folder.path, 'conf'), {})
    expect(targets).toMatchObject([
      { endpoint: { command: join(folder.path, 'conf/one'), cwd: join(folder.path, 'conf/data') } },
      { endpoint: { command: join(folder.path, 'two') } },
    ])
  })

  const rule = (when: string) =>
    varied(`${STABLE}, { name: canary, when: '${when}', mcp: { url: "http://h:2/mcp" } }`)
  const at = 'targets[0]'
  it.each([
    [varied(STABLE), `${at}.variants`, 'expected at least two variants'],
    [varied(`${STABLE}, ${STABLE}`), `${at}.variants[1].name`, 'another variant has this name'],
    [
      varied(`${STABLE}, ${CANARY}`, 'mcp: { url: "http://h/mcp" }'),
      `${at}.mcp`,
      'a target with "variants" is where they are, and nowhere itself',
    ],
    [
      varied(`${STABLE}, { name: canary }`),
      `${at}.variants[1]`,
      'expected exactly one of "mcp", "sse", "stdio" and "static"',
    ],
    [
      varied(
        '{ name: a, weight: 0, mcp: { url: "http://h/mcp" } }, { name: b, weight: 0, mcp: { url: "http://h/mcp" } }',
      ),
      `${at}.variants`,
      'at least one variant needs a "weight" above 0',
    ],
    [
      varied(`${STABLE}, { name: canary, tls: { serverName: h }, mcp: { url: "http://h:2/mcp" } }`),
      `${at}.variants[1].tls`,
      'only a server at an https:// address has TLS',
    ],
    [
      varied(`${STABLE}, { name: canary, stdio: { command: x } }`, 'stateful: true'),
      `${at}.variants[1].stateful`,
      'only a session over Streamable HTTP can be reached from several processes',
    ],
    [
      'targets: [{ name: a, mcp: { url: "http://h/mcp" }, stickBy: { header: x } }]',
      `${at}.stickBy`,
      'only "variants" are chosen by it',
    ],
    [
      'targets: [{ name: a, mcp: { url: "http://h/mcp" }, rollback: {} }]',
      `${at}.rollback`,
      'only "variants" are given up',
    ],
    [
      rule('mcp.tool.name == "x"'),
      `${at}.variants[1].when`,
      'not a rule: "mcp.tool" is not known yet when a variant is chosen',
    ],
    [
      rule('mcp.attributes.region == "x"'),
      `${at}.variants[1].when`,
      'not a rule: there is no attribute "region"; "attributes" names it',
    ],
    [rule('nobody.team == "x"'), `${at}.variants[1].when`, 'not a rule: Unknown variable: nobody'],
  ])('is refused as %s', async (text, path, message) => {
    const problems = await problemsOf(text)
    expect(problems.map((it) => it.replace(/^[\d:]+ /, ''))).toEqual([
      expect.stringContaining(`${path}: ${message}`),
    ])
  })
})
