import { mkdir, rename, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { loadConfig } from '../../../src/config/load.js'
import { folderOf, load, problemsOf, rejectionOf } from '../../support/config.js'

const target = (name: string) => `targets: [{ name: ${name}, mcp: { host: h } }]\n`

it('loads the YAML and JSON files of a directory as one, in the order of their names', async () => {
  await using folder = await folderOf({
    '20-more.yml': target('b'),
    '10-first.yaml': `${target('a')}listen: { port: 1 }`,
    '30-last.json': '{ "targets": [{ "name": "c", "mcp": { "host": "h" } }] }',
    '25-servers.yaml': 'mcpServers: { d: { command: x } }',
    '26-servers.yaml': 'mcpServers: { e: { command: x } }',
    'notes.txt': 'not: [read',
    'junction.lock.json': '{ "version": 1, "targets": { "a": { "x": "sha256-y" } } }',
    '.hidden.yaml': 'not: [read',
    'below/deep.yaml': 'not: [read',
  })
  const { targets, listen, approvals } = await loadConfig(folder.path, {})
  expect(targets.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd', 'e'])
  expect(listen.port).toBe(1)
  expect(approvals).toEqual({ a: { x: 'sha256-y' } })
})

it('follows the links that a mounted ConfigMap is made of', async () => {
  await using folder = await folderOf({ 'real.yaml': target('a') })
  await mkdir(join(folder.path, '..2026_01_01'))
  await rename(join(folder.path, 'real.yaml'), join(folder.path, '..2026_01_01', 'junction.yaml'))
  await symlink('..2026_01_01', join(folder.path, '..data'))
  await symlink('..data/junction.yaml', join(folder.path, 'junction.yaml'))
  const { targets } = await loadConfig(folder.path, {})
  expect(targets.map(({ name }) => name)).toEqual(['a'])
})

it('loads all documents of a file as one', async () => {
  const { targets, listen } = await load(
    `${target('a')}---\n${target('b')}---\nlisten: { port: 1 }\n---\n`,
  )
  expect(targets.map(({ name }) => name)).toEqual(['a', 'b'])
  expect(listen.port).toBe(1)
})

it('refuses a section in two files, naming both places', async () => {
  await using folder = await folderOf({
    'a.yaml': 'listen: { port: 1 }',
    'b.yaml': '\nlisten: { host: h }',
  })
  const { problems } = await rejectionOf(loadConfig(folder.path, {}))
  expect(problems).toEqual([
    {
      file: join(folder.path, 'b.yaml'),
      line: 2,
      column: 1,
      path: 'listen',
      message: `"listen" is already at ${join(folder.path, 'a.yaml')}:1:1; the two cannot be put together`,
    },
  ])
})

it('tells the problems of all files, each by the path in its own file', async () => {
  await using folder = await folderOf({
    'a.yaml': target('a'),
    'b.yaml': 'targets:\n  - name: b\n    mcp: { url: nope }\n',
    'c.yaml': 'targets: [',
    'd.yaml': '',
  })
  const { problems } = await rejectionOf(loadConfig(folder.path, {}))
  const short = problems.map(({ file, line, path }) => [file.slice(-6), line, path])
  expect(short).toEqual([
    ['b.yaml', 3, 'targets[0].mcp.url'],
    ['c.yaml', 1, ''],
    ['d.yaml', 0, ''],
  ])
})

it('says so where there is no such file, and where a directory holds none', async () => {
  await using folder = await folderOf({})
  const missing = join(folder.path, 'junction.yaml')
  expect((await rejectionOf(loadConfig(missing, {}))).message).toBe(
    `${missing}: cannot be read: no such file or directory`,
  )
  expect((await rejectionOf(loadConfig(folder.path, {}))).message).toBe(
    `${folder.path}: no *.yaml, *.yml or *.json file in it`,
  )
})

it('does not let one section stand in two documents of a file either', async () => {
  expect(await problemsOf('sessions: { max: 1 }\n---\nsessions: { max: 2 }')).toEqual([
    expect.stringMatching(/junction.yaml:1:1; the two cannot be put together$/),
  ])
})
