import { join } from 'node:path'
import { expect, it } from 'vitest'
import { loadConfig } from '../../../src/config/load.js'
import { folderOf } from '../../support/config.js'

const programs = (command: string, cwd: string) => `
targets:
  - { name: a, stdio: { command: "${command}", cwd: "${cwd}" } }
  - { name: b, stdio: { cmd: "${command}" } }
mcpServers: { c: { command: "${command}", cwd: "${cwd}" } }
`

it('takes paths of programs and directories relative to the file they are written in', async () => {
  await using folder = await folderOf({ 'conf/junction.yaml': programs('../bin/server', 'data') })
  const { targets } = await loadConfig(join(folder.path, 'conf'), {})
  const command = join(folder.path, 'bin/server')
  const cwd = join(folder.path, 'conf/data')
  expect(targets).toMatchObject([
    { endpoint: { command, cwd } },
    { endpoint: { command, cwd: undefined } },
    { endpoint: { command, cwd } },
  ])
})

it('leaves absolute paths, and programs to be looked up, as they are', async () => {
  await using folder = await folderOf({ 'junction.yaml': programs('npx', '/srv') })
  const { targets } = await loadConfig(folder.path, {})
  expect(targets).toMatchObject([
    { endpoint: { command: 'npx', cwd: '/srv' } },
    { endpoint: { command: 'npx' } },
    { endpoint: { command: 'npx', cwd: '/srv' } },
  ])
})

it('takes them so after substitution', async () => {
  await using folder = await folderOf({ 'junction.yaml': programs('${BIN}/server', '${DIR}') })
  const { targets } = await loadConfig(folder.path, { BIN: './bin', DIR: '.' })
  expect(targets).toMatchObject([
    { endpoint: { command: join(folder.path, 'bin/server'), cwd: folder.path } },
    {},
    {},
  ])
})
