/** `mcp-junction explain`, as a command. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { folderOf } from '../support/config.js'
import { startEcho } from '../support/upstream-server.js'

const CLI = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url))

async function explain(url: string, ...args: string[]): Promise<{ code: number; text: string }> {
  await using folder = await folderOf({
    'junction.json': JSON.stringify({
      targets: [{ name: 'a', mcp: { url } }],
      authentication: {
        apiKeys: [{ name: 'ci', key: 'a-key-nobody-sees', claims: { role: 'bot' } }],
      },
      authorization: {
        toolScopes: { a__guarded: ['a:read', 'a:write'] },
        rules: [
          { allow: 'jwt.role == "admin"' },
          { allow: 'apiKey.role == "bot" && mcp.tool.arguments.dry == true' },
          { deny: 'mcp.prompt.name == "x"' },
        ],
      },
    }),
  })
  return await new Promise((resolve) => {
    const file = join(folder.path, 'junction.json')
    const command = [CLI, 'explain', '--config', file, ...args]
    execFile(process.execPath, command, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), text: stdout + stderr })
    })
  })
}

describe('explain', () => {
  it('says which rule lets a caller use a tool, or keeps it away, and what the list holds', async () => {
    await using upstream = await startEcho()
    const admin = await explain(
      upstream.url,
      '--tool',
      'a__echo',
      '--claims',
      '{"sub":"ada","role":"admin"}',
    )
    expect(admin).toEqual({
      code: 0,
      text: `ada (jwt) may use a__echo; it is in the list
  allow   true                  jwt.role == "admin"
  allow   cannot be told        apiKey.role == "bot" && mcp.tool.arguments.dry == true
  deny    concerns other things mcp.prompt.name == "x"
sees 1 tools: a__echo
sees 0 prompts
sees 0 resources
sees 0 resource templates
toolScopes for tools that there are not: a__guarded
`,
    })
    const bot = ['--tool', 'a__echo', '--api-key', 'ci']
    expect(await explain(upstream.url, ...bot)).toMatchObject({
      code: 1,
      text: expect.stringMatching(/ci \(apiKey\) may not use a__echo; it is in the list/) as string,
    })
    expect((await explain(upstream.url, ...bot, '--args', '{"dry":true}')).code).toBe(0)
    expect(await explain(upstream.url, '--tool', 'a__echo')).toMatchObject({
      code: 1,
      text: expect.stringMatching(
        /anonymous .* may not use a__echo; it is not in the list[^]*sees 0 tools/,
      ) as string,
    })
    expect(await explain(upstream.url, '--tool', 'none')).toMatchObject({
      code: 1,
      text: expect.stringMatching(/there is no tool "none"/) as string,
    })
  })

  it('says which scopes a call lacks, whatever the rules say', async () => {
    const inputSchema = { type: 'object' }
    await using upstream = await startEcho({ tools: [{ name: 'guarded', inputSchema }] })
    const as = (scope: string) =>
      explain(
        upstream.url,
        '--tool',
        'a__guarded',
        '--claims',
        JSON.stringify({ sub: 'ada', role: 'admin', scope }),
      )
    const lacking = await as('a:read')
    expect(lacking.code).toBe(1)
    expect(lacking.text).toMatch(/^ada \(jwt\) may not use a__guarded; it is in the list\n/)
    expect(lacking.text).toContain(
      '\na call is answered with 403: it needs the scopes a:read a:write\nsees 1 tools',
    )
    const enough = await as('a:write a:read')
    expect(enough.code).toBe(0)
    expect(enough.text).not.toContain('answered with')
    const nobody = await explain(upstream.url, '--tool', 'a__guarded')
    expect(nobody.text).toContain('a call is answered with 401: it needs the scopes a:read a:write')
  })

  it('says what each list of the caller holds, in words that do nothing to a terminal', async () => {
    await using upstream = await startEcho({
      prompts: [{ name: 'greet' }, { name: 'x' }],
      resources: [{ uri: 'note://\u001b[2Jone', name: 'one' }],
      templates: [{ uriTemplate: 'note://{id}', name: 'any' }],
      handlers: { 'resources/read': () => ({ contents: [] }) },
    })
    const as = ['--claims', '{"role":"admin"}']
    const { text } = await explain(upstream.url, '--tool', 'a__echo', ...as)
    expect(text.split('\n').slice(-6, -2)).toEqual([
      'sees 1 tools: a__echo',
      'sees 1 prompts: a__greet',
      'sees 1 resources: note://?[2Jone',
      'sees 1 resource templates: note://{id}',
    ])
  })

  it.each([
    [[], /needs --tool/],
    [['--tool', 'x', '--claims', 'no'], /--claims takes a JSON object/],
    [['--tool', 'x', '--api-key', 'nobody'], /there is no API key "nobody"/],
    [['--tool', 'x', '--api-key', 'ci', '--claims', '{}'], /not both/],
  ])('%j is wrong usage', async (args, message) => {
    const { code, text } = await explain('http://127.0.0.1:1/mcp', ...args)
    expect(code).toBe(2)
    expect(text).toMatch(message)
    expect(text).not.toContain('a-key-nobody-sees')
  })
})
