import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../../src/config/load.js'
import { folderOf, load, problemsOf, rejectionOf } from '../../support/config.js'

async function instructions(text: string, env: NodeJS.ProcessEnv = {}) {
  const { federation } = await load(`federation: { instructions: ${JSON.stringify(text)} }`, env)
  return federation.instructions
}

describe('a reference', () => {
  it('stands for an environment variable, as often as it likes', async () => {
    expect(await instructions('${A}-${B}${A}', { A: 'x', B: '' })).toBe('x-x')
  })

  it('may be a port', async () => {
    const { listen, targets } = await load(
      'listen: { port: "${P}" }\ntargets: [{ name: a, static: { host: h, port: "${P}" } }]',
      { P: '3001' },
    )
    expect(listen.port).toBe(3001)
    expect(targets).toMatchObject([{ endpoint: { url: 'http://h:3001/mcp' } }])
  })

  it('is itself written with two dollar signs', async () => {
    expect(await instructions('$${A} $A ${A}', { A: 'x' })).toBe('${A} $A x')
  })

  it('cannot bring in YAML, nor another reference', async () => {
    const value = 'a", single: false # ${B} \n- x'
    expect(await instructions('${A}', { A: value, B: 'b' })).toBe(value)
  })

  it('is not looked for in keys', async () => {
    const { targets } = await load(
      'targets: [{ name: a, stdio: { command: x, env: { "${A}": y } } }]',
    )
    expect(targets).toMatchObject([{ endpoint: { env: { '${A}': 'y' } } }])
  })

  it('reads a file beside the configuration, less one line break at its end', async () => {
    await using folder = await folderOf({
      'conf/junction.yaml': 'federation: { instructions: "<${file:../secrets/a}>" }',
      'secrets/a': 'line\n\n',
    })
    const { federation } = await loadConfig(join(folder.path, 'conf'), {})
    expect(federation.instructions).toBe('<line\n>')
  })

  it('reads a file by its absolute path', async () => {
    await using folder = await folderOf({ token: 'secret\r\n' })
    expect(await instructions(`\${file:${join(folder.path, 'token')}}`)).toBe('secret')
  })

  it('is a problem where it leads nowhere, each with its place', async () => {
    await using folder = await folderOf({
      'junction.yaml': `listen:
  host: \${HOST}
  path: \${file:nowhere}
federation:
  instructions: \${A} and \${constructor}
  serverInfo: { name: "\${input:name}", title: "\${open" }
`,
    })
    const { problems } = await rejectionOf(loadConfig(folder.path, {}))
    expect(problems.map(({ line, path, message }) => `${line} ${path}: ${message}`)).toEqual([
      '2 listen.host: the environment variable HOST is not set',
      `3 listen.path: the file ${join(folder.path, 'nowhere')} cannot be read: no such file or directory`,
      '5 federation.instructions: the environment variable A is not set; the environment variable constructor is not set',
      '6 federation.serverInfo.name: "${input:name}" is neither ${NAME} nor ${file:PATH}; write "$${" for the characters themselves',
      '6 federation.serverInfo.title: "${" is not closed; write "$${" for the characters themselves',
    ])
  })

  it('may lead nowhere in a disabled server', async () => {
    const { targets } = await load('mcpServers: { a: { command: "${NONE}", disabled: true } }')
    expect(targets).toEqual([])
  })
})

describe('what was put in', () => {
  // Wrong everywhere it stands, so that every message has the chance to show it.
  const secret = 's3cr3t value/ of some length'
  /** Of those places, where the value of a header and a token would do. */
  const FINE = 2
  const everywhere = `
listen: { host: h, port: "\${S}", path: "\${S}", allowedHosts: ["\${S}"], allowedOrigins: ["\${S}"], maxBodyBytes: "\${S}" }
targets:
  - { name: "\${S}", mcp: { host: h } }
  - { name: a, mcp: { url: "\${S}" } }
  - { name: b, mcp: { host: "\${S}" } }
  - { name: c, mcp: { host: h, port: "\${S}", path: "\${S}" } }
  - { name: d, static: { host: "\${S}", port: 1 } }
  - { name: d2, static: { host: h, port: 1, protocol: "\${S}" } }
  - { name: e, stdio: { command: x, scope: "\${S}", args: "\${S}" } }
  - { name: f, mcp: { host: h }, prefix: "\${S}", timeouts: { call: "\${S}" }, include: "\${S}" }
  - { name: f2, mcp: { host: h }, auth: { header: { name: "\${S}", value: "\${S}" } }, headers: "\${S}" }
  - { selectors: { serviceSelector: { matchLabels: { a: "\${S}" } } } }
  - "\${S}"
kubernetes: { namespace: "\${S}", clusterDomain: "\${S}", backends: "\${S}", address: "\${S}" }
admin: { host: 127.0.0.1, port: "\${S}", token: "\${S}" }
mcpServers:
  g: { url: "\${S}" }
  h: { type: "\${S}", url: http://h/mcp }
  i: { url: http://h/mcp, headers: "\${S}" }
  j: { command: x, url: "\${S}" }
federation: { naming: { mode: "\${S}", separator: "\${S}" }, single: "\${S}", failureMode: "\${S}" }
sessions: { keys: ["\${S}"], idleTimeout: "\${S}", max: "\${S}" }
`

  it('never stands in a message', async () => {
    const problems = await problemsOf(everywhere, { S: secret })
    expect(problems).toHaveLength(everywhere.split('${S}').length - 1 - FINE)
    expect(problems.join('\n')).not.toContain('s3cr3t')
  })

  it('never stands in one as a URL either', async () => {
    const problems = await problemsOf(everywhere, { S: 'http://me:s3cr3t@h/' })
    expect(problems.join('\n')).not.toContain('s3cr3t')
  })
})

it('never repeats a session key that is written out', async () => {
  const problems = await problemsOf('sessions: { keys: [s3cr3t, 5] }')
  expect(problems).toHaveLength(2)
  expect(problems.join('\n')).not.toContain('s3cr3t')
})
