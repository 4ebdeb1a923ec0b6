import { expect, it } from 'vitest'
import { load, problemsOf } from '../../support/config.js'

it.each(['', '# nothing but a comment\n', '---\n---\n', 'null'])(
  'refuses the empty file %j',
  async (text) => {
    expect(await problemsOf(text)).toEqual(['the file is empty'])
  },
)

it.each(['- a', 'text', '5'])('refuses %j, which is no mapping', async (text) => {
  expect(await problemsOf(text)).toEqual(['1:1: expected a mapping of sections such as "targets"'])
})

it('tells the line of a syntax error', async () => {
  expect(await problemsOf('listen:\n  host: "h\n  port: 1\n')).toEqual([
    '4:1: Missing closing "quote',
  ])
  expect(await problemsOf('listen:\n\tport: 1\n')).toEqual([
    '2:1: Tabs are not allowed as indentation',
  ])
})

it('says what is wrong with a reference without quotes in a flow mapping', async () => {
  expect(await problemsOf('listen: { port: ${PORT} }')).toEqual([
    '1:18: inside { } and [ ], a "${…}" must stand in quotes',
  ])
})

it('refuses a key that stands twice, naming both lines', async () => {
  expect(await problemsOf('listen:\n  port: 1\n  host: h\n  port: 2\n')).toEqual([
    '4:3 listen.port: the key stands here twice, first in line 2',
  ])
})

it('refuses aliases that expand to billions of values, and at once', async () => {
  const levels = Array.from({ length: 12 }, (_, level) => {
    const item = level === 0 ? 'x' : `*l${level - 1}`
    return `l${level}: &l${level} [${Array(10).fill(item).join(', ')}]`
  })
  expect(await problemsOf(levels.join('\n'))).toEqual([
    '1:1: more than 100000 values, those behind aliases included',
  ])
})

it('refuses aliases without an anchor before them, and so those that hold themselves', async () => {
  expect(await problemsOf('listen: { allowedHosts: &a [*a] }')).toEqual([
    '1:29 listen.allowedHosts[0]: the alias "*a" has no anchor before it',
  ])
})

it.each([
  ['__proto__: { port: 1 }', '1:1 __proto__'],
  ['listen: { __proto__: { port: 1 } }', '1:11 listen.__proto__'],
  ['mcpServers: { __proto__: { command: x } }', '1:15 mcpServers.__proto__'],
  ['mcpServers: { a: { command: x, __proto__: {} } }', '1:32 mcpServers.a.__proto__'],
])('refuses the key __proto__ in %j', async (text, place) => {
  expect(await problemsOf(text)).toEqual([`${place}: this key is not allowed`])
  expect({}).not.toHaveProperty('port')
})

it.each([
  ['? [a]\n: 1', '1:3: a key must be plain text'],
  ['listen: { host: !host h }', '1:17: Unresolved tag: !host'],
])('refuses what JSON has not: %j', async (text, problem) => {
  expect(await problemsOf(text)).toEqual([problem])
})

it('is YAML 1.2, where yes and no are texts and numbers have no colons', async () => {
  const { targets } = await load(
    'targets: [{ name: no, stdio: { command: "on", args: [yes, 12:30] } }]',
  )
  expect(targets).toMatchObject([
    { name: 'no', endpoint: { command: 'on', args: ['yes', '12:30'] } },
  ])
})
