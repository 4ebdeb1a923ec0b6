/** Rules that fit no tool, and tools that no rule fits: told by `validate`, in the log as they change, and by `explain`. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import type { SpawnedGateway } from '../support/gateway.js'
import { spawnGateway } from '../support/gateway.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const CLI = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url))
const RULES = 'these rules name tools that there are not'
const SCOPES = 'toolScopes for tools that there are not'
const TOOLS = 'no rule allows these tools to anybody'
const DOUBT = 'doubtful configuration'

const tools = (...names: string[]) =>
  names.map((name) => ({ name, inputSchema: { type: 'object' } }))
const entries = ({ log }: SpawnedGateway, msg: string) => log.filter((it) => it['msg'] === msg)
const told = (gateway: SpawnedGateway, msg: string, times = 1) =>
  waitUntil(() => entries(gateway, msg).length === times, `"${msg}" ${times} times in the log`)

function command(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, ...args], (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), stdout, stderr })
    })
  })
}

describe('rules and tools that do not fit together', () => {
  it('are told once for each change of them, in the log and by explain', async () => {
    await using upstream = await startEcho({ tools: tools('read', 'write', 'secret') })
    const authorization = {
      rules: [
        { allow: 'mcp.tool.name == "read" && jwt.role == "admin"' },
        { allow: 'mcp.tool.name == "write" && mcp.tool.arguments.dry == true' },
        { allow: 'mcp.tool.exposedName in ["a__raed", "raed"]' },
        { deny: 'mcp.tool.name == "dorp" && jwt.role != "admin"' },
        { deny: 'mcp.tool.exposedName == "read" && jwt.role == "guest"' },
        { deny: 'mcp.tool.name.startsWith("wri") && jwt.role == "guest"' },
        { deny: 'mcp.prompt.name == "none"' },
        { require: 'mcp.tool.target == "a"' },
        { require: 'mcp.tool.name != "dorp" || jwt.role == "admin"' },
      ],
      toolScopes: { 'a__*': ['a'], 'b__*': ['b'] },
    }
    const config = { targets: [{ name: 'a', mcp: { url: upstream.url } }], authorization }
    await using gateway = await spawnGateway(config)
    await told(gateway, TOOLS)
    expect(entries(gateway, RULES)).toMatchObject([
      {
        level: 40,
        count: 4,
        rules: [
          'allow: mcp.tool.exposedName in ["a__raed", "raed"]',
          'deny: mcp.tool.name == "dorp" && jwt.role != "admin"',
          'deny: mcp.tool.exposedName == "read" && jwt.role == "guest"',
          'require: mcp.tool.name != "dorp" || jwt.role == "admin"',
        ],
      },
    ])
    expect(entries(gateway, SCOPES)).toMatchObject([{ count: 1, toolScopes: ['b__*'] }])
    expect(entries(gateway, TOOLS)).toMatchObject([{ count: 1, tools: ['a__secret'] }])

    const { stdout } = await command('explain', '--config', gateway.file, '--tool', 'a__read')
    expect(stdout.split('\n').slice(-7)).toEqual([
      'names tools that there are not: allow: mcp.tool.exposedName in ["a__raed", "raed"]',
      'names tools that there are not: deny: mcp.tool.name == "dorp" && jwt.role != "admin"',
      'names tools that there are not: deny: mcp.tool.exposedName == "read" && jwt.role == "guest"',
      'names tools that there are not: require: mcp.tool.name != "dorp" || jwt.role == "admin"',
      'toolScopes for tools that there are not: b__*',
      'no rule allows to anybody: a__secret',
      '',
    ])

    upstream.lists.tools = tools('read', 'write', 'secret', 'dorp', 'more')
    await upstream.notifyListChanged('tools')
    await told(gateway, TOOLS, 2)
    expect(entries(gateway, RULES)[1]).toMatchObject({ count: 2 })
    expect(entries(gateway, TOOLS)[1]).toMatchObject({ count: 3 })
    await gateway.reconfigure({ ...config, authorization: { rules: [{ allow: 'has(jwt.sub)' }] } })
    await waitUntil(
      () => entries(gateway, 'configuration applied').length === 1,
      'the rules to be applied',
    )
    // What fits is no news; the next thing that does not fit is.
    await gateway.reconfigure({
      ...config,
      authorization: { rules: [{ deny: 'mcp.tool.name == "x"' }] },
    })
    await told(gateway, RULES, 3)
    expect(entries(gateway, TOOLS)).toHaveLength(2)
    expect(entries(gateway, SCOPES)).toHaveLength(1)
  })

  it('are named in one line, however many there are', async () => {
    const names = Array.from({ length: 10_000 }, (_, index) => `tool${index}`)
    await using upstream = await startEcho({ tools: tools(...names) })
    await using gateway = await spawnGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      authorization: { rules: [{ allow: 'mcp.tool.name == "tool0" && jwt.role == "admin"' }] },
    })
    await told(gateway, TOOLS)
    const [entry] = entries(gateway, TOOLS)
    expect(entry).toMatchObject({ count: 9_999 })
    const named = entry?.['tools'] as string[]
    expect(named.slice(0, 2)).toEqual(['a__tool1', 'a__tool2'])
    expect(named.slice(-2)).toEqual(['a__tool20', 'and 9979 more'])
  })

  it('are not told of a server that has not been heard yet, or of tools that wait for approval', async () => {
    await using upstream = await startEcho({ tools: tools('read') })
    const rules: JsonObject[] = [
      { deny: 'mcp.tool.target == "away" && mcp.tool.name == "x"' },
      { deny: 'mcp.tool.name == "at-whatever-target"' },
      { deny: 'mcp.tool.target == "a" && mcp.tool.name == "read"' },
      { deny: 'mcp.tool.target == "a" && mcp.tool.name == "raed"' },
    ]
    await using gateway = await spawnGateway({
      targets: [
        { name: 'a', mcp: { url: upstream.url }, guard: 'block' },
        { name: 'away', mcp: { url: 'http://127.0.0.1:1/mcp' } },
      ],
      authorization: { rules, toolScopes: { 'away__*': ['x'] } },
    })
    await told(gateway, RULES)
    expect(entries(gateway, RULES)).toMatchObject([
      { rules: ['deny: mcp.tool.target == "a" && mcp.tool.name == "raed"'] },
    ])
    expect(entries(gateway, SCOPES)).toEqual([])
  })

  it('are warned about before anything runs, which is no reason not to run', async () => {
    await using upstream = await startEcho()
    const targets = [{ name: 'billing', mcp: { url: upstream.url } }]
    const rules = [{ deny: 'mcp.tool.target == "bililng"' }, { allow: 'false' }]
    await using gateway = await spawnGateway({ targets, authorization: { rules } })
    const { code, stdout, stderr } = await command('validate', '--config', gateway.file)
    expect(code).toBe(0)
    expect(stdout).toMatch(/junction\.json: fine, 1 target, 2 warnings\n$/)
    expect(stderr.split('\n')).toEqual([
      expect.stringMatching(
        /junction\.json:1:\d+ authorization\.rules\[0\]\.deny: warning: names a target that there is not: "bililng" \(did you mean "billing"\?\)/,
      ),
      expect.stringMatching(/rules\[1\]\.allow: warning: is never true, so it allows nothing$/),
      '',
    ])
    expect(entries(gateway, DOUBT)).toMatchObject([
      { level: 40, path: 'authorization.rules[0].deny' },
      { path: 'authorization.rules[1].allow', reason: 'is never true, so it allows nothing' },
    ])
    await gateway.reconfigure({ targets, authorization: { rules: rules.slice(0, 1) } })
    await told(gateway, DOUBT, 3)
  })
})
