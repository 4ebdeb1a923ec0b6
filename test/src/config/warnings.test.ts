/** What can be loaded and hardly be meant: said with its place, and no reason not to start. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../../src/config/load.js'
import { folderOf, load } from '../../support/config.js'

const TARGETS = `targets:
  - { name: billing, mcp: { url: http://127.0.0.1:1/mcp } }
  - { name: files, mcp: { url: http://127.0.0.1:2/mcp } }
`

async function warningsOf(effect: string, rule: string, head = TARGETS): Promise<string[]> {
  const text = `${head}authorization:\n  rules:\n    - ${effect}: ${JSON.stringify(rule)}\n`
  return (await load(text)).warnings.map((it) => it.message)
}

const NEVER = 'it is never true, so it'

describe('a rule is doubted', () => {
  it.each([
    ['allow', 'false', 'is never true, so it allows nothing'],
    ['deny', 'false', 'is never true, so it denies nothing'],
    ['deny', '1 == 2 && jwt.a == 1', 'is never true, so it denies nothing'],
    ['deny', 'true', 'is never false, so it denies all that it concerns'],
    ['require', 'false', 'is never true, so it denies all that it concerns'],
    ['require', 'jwt.a == 1 || true', 'is always true, so it denies nothing'],
    [
      'deny',
      'mcp.tool.target == "bililng" && jwt.a == 1',
      `names a target that there is not: "bililng" (did you mean "billing"?); ${NEVER} denies nothing`,
    ],
    [
      'deny',
      '["x"].exists(it, it == jwt.a) && mcp.resource.target in ["files", "file", "zzz"]',
      'names a target that there is not: "file" (did you mean "files"?), "zzz"',
    ],
    [
      'allow',
      'mcp.method == "tools/cal"',
      `mcp.method is never that: "tools/cal" (did you mean "tools/call"?); ${NEVER} allows nothing`,
    ],
    [
      'allow',
      'mcp.phase == "lst" || jwt.a == 1',
      'mcp.phase is never that: "lst" (did you mean "list"?)',
    ],
    [
      'require',
      'principal.kind != "jwtt" || jwt.a == 1',
      'principal.kind is never that: "jwtt" (did you mean "jwt"?); it is always true, so it denies nothing',
    ],
  ])('%s: %s', async (effect, rule, message) => {
    expect(await warningsOf(effect, rule)).toEqual([message])
  })

  it.each([
    ['allow', 'true'],
    ['deny', 'mcp.tool.target == "billing" || mcp.prompt.target in ["files"]'],
    ['deny', 'mcp.tool.target == "" && mcp.prompt.name == "x"'],
    ['deny', 'mcp.tool.target.startsWith("bil")'],
    ['deny', 'jwt.none && mcp.tool.name == "no-such-tool"'],
    ['require', 'mcp.method != "tools/call" || principal.kind in ["jwt", "apiKey", "certificate"]'],
    ['allow', 'mcp.phase == "list" || mcp.method == "completion/complete"'],
    ['deny', 'mcp.method in ["resources/subscribe", "resources/unsubscribe"]'],
  ])('and not where it may be meant: %s: %s', async (effect, rule) => {
    expect(await warningsOf(effect, rule)).toEqual([])
  })

  it.each([
    'targets: [{ selectors: { serviceSelector: { matchLabels: { a: b } } } }]\n',
    'kubernetes: { backends: true }\n',
  ])('by its targets only where no others are found: %s', async (head) => {
    expect(await warningsOf('deny', 'mcp.tool.target == "bililng"', head)).toEqual([])
    expect(await warningsOf('deny', 'mcp.phase == "lst"', head)).toHaveLength(1)
  })

  it('with its place, and without a word that may be a secret', async () => {
    await using folder = await folderOf({
      'a.yaml': TARGETS,
      'b.yaml': 'authorization:\n  rules:\n    - allow: jwt.a == 1\n    - deny: ${RULE}\n',
    })
    const { warnings } = await loadConfig(folder.path, { RULE: 'mcp.tool.target == "s3cret"' })
    expect(warnings).toEqual([
      {
        file: join(folder.path, 'b.yaml'),
        line: 4,
        column: 7,
        path: 'authorization.rules[1].deny',
        message: `names a target that there is not; ${NEVER} denies nothing`,
      },
    ])
  })
})
