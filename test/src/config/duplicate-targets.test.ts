import { join } from 'node:path'
import { expect, it } from 'vitest'
import { loadConfig } from '../../../src/config/load.js'
import { folderOf, load, rejectionOf } from '../../support/config.js'

async function problemsIn(files: Record<string, string>, env: NodeJS.ProcessEnv = {}) {
  await using folder = await folderOf(files)
  const { message } = await rejectionOf(loadConfig(folder.path, env))
  return message.replaceAll(join(folder.path, '/'), '').split('\n')
}

it('names both places of two targets of one name', async () => {
  const text = `targets:
  - { name: search, mcp: { host: a } }
  - { name: search, mcp: { host: b } }
`
  expect(await problemsIn({ 'a.yaml': text })).toEqual([
    'a.yaml:3:7 targets[1].name: the name "search" is taken by the target at a.yaml:2:7',
  ])
})

it('finds them across files, and among other problems', async () => {
  const problems = await problemsIn({
    'a.yaml': 'targets: [{ name: search, mcp: { url: nope } }]',
    'b.yaml': 'targets: [{ name: search, mcp: { host: b } }]',
  })
  expect(problems).toEqual([
    expect.stringContaining('a.yaml:1:34 targets[0].mcp.url'),
    'b.yaml:1:13 targets[0].name: the name "search" is taken by the target at a.yaml:1:13',
  ])
})

it('finds them between targets and mcpServers, by the name that the key becomes', async () => {
  const text = `targets: [{ name: my-files, mcp: { host: a } }]
mcpServers: { "My Files": { command: x } }
`
  expect(await problemsIn({ 'a.yaml': text })).toEqual([
    'a.yaml:2:15 mcpServers["My Files"]: the name "my-files" is taken by the target at a.yaml:1:13',
  ])
})

it('finds them among mcpServers whose keys become one name, also in several files', async () => {
  const alike = 'mcpServers: { "a b": { command: x }, A-B: { command: x } }'
  expect(await problemsIn({ 'a.yaml': alike })).toEqual([
    'a.yaml:1:38 mcpServers.A-B: the name "a-b" is taken by the target at a.yaml:1:15',
  ])
  const one = 'mcpServers: { a: { command: x } }'
  expect(await problemsIn({ 'a.yaml': one, 'b.yaml': one })).toEqual([
    'b.yaml:1:15 mcpServers.a: this server is already at a.yaml:1:15',
  ])
})

it('does not print a name that was put in', async () => {
  const text = 'targets: [{ name: x1, mcp: { host: a } }, { name: "${N}", mcp: { host: a } }]'
  expect(await problemsIn({ 'a.yaml': text }, { N: 'x1' })).toEqual([
    'a.yaml:1:45 targets[1].name: this name is taken by the target at a.yaml:1:13',
  ])
})

it('leaves the names of disabled servers free', async () => {
  const { targets } = await load(`
targets: [{ name: a, mcp: { host: h } }]
mcpServers: { A: { command: x, disabled: true } }
`)
  expect(targets).toHaveLength(1)
})
