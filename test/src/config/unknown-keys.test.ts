import { expect, it } from 'vitest'
import { problemsOf } from '../../support/config.js'

it.each([
  ['tagets: []', '1:1 tagets: unknown key "tagets"; did you mean "targets"?'],
  ['mcpservers: {}', '1:1 mcpservers: unknown key "mcpservers"; did you mean "mcpServers"?'],
  ['listen:\n  prot: 80', '2:3 listen.prot: unknown key "prot"; did you mean "port"?'],
  [
    'federation:\n  naming:\n    mod: never',
    '3:5 federation.naming.mod: unknown key "mod"; did you mean "mode"?',
  ],
  [
    'targets:\n  - name: a\n    mcp: { host: h }\n    timeout: {}',
    '4:5 targets[0].timeout: unknown key "timeout"; did you mean "timeouts"?',
  ],
  [
    'targets:\n  - name: a\n    mcp: { host: h }\n    timeouts: { cal: 1s }',
    '4:17 targets[0].timeouts.cal: unknown key "cal"; did you mean "call"?',
  ],
  [
    'targets:\n  - name: a\n    mcp: { host: h, prot: 1 }',
    '3:21 targets[0].mcp.prot: unknown key "prot"; did you mean "port"?',
  ],
])('suggests the nearest key for %j', async (text, problem) => {
  expect(await problemsOf(text)).toEqual([problem])
})

it('lists the keys there are where none is near', async () => {
  expect(await problemsOf('federation: { naming: { colour: red } }')).toEqual([
    '1:25 federation.naming.colour: unknown key "colour"; known here: mode, separator',
  ])
})

it('knows only the keys of the form that was begun', async () => {
  expect(await problemsOf('targets: [{ name: a, mcp: { url: x, prot: 1 } }]')).toEqual([
    '1:29 targets[0].mcp.url: expected an http:// or https:// URL without user name, password or fragment',
    '1:37 targets[0].mcp.prot: unknown key "prot"; known here: url',
  ])
})

it('tells a misspelt form by the one it is nearest to', async () => {
  expect(await problemsOf('targets: [{ name: a, mcp: { hots: h, port: 1 } }]')).toEqual([
    '1:22 targets[0].mcp.host: is missing',
    '1:29 targets[0].mcp.hots: unknown key "hots"; did you mean "host"?',
  ])
})

it('reports each unknown key on its own', async () => {
  expect(await problemsOf('listen:\n  hosst: h\n  ports: 1')).toEqual([
    '2:3 listen.hosst: unknown key "hosst"; did you mean "host"?',
    '3:3 listen.ports: unknown key "ports"; did you mean "port"?',
  ])
})

it('takes names that every object has for unknown keys like any other', async () => {
  expect(await problemsOf('listen: { constructor: 1, toString: 2 }')).toEqual([
    expect.stringContaining('listen.constructor: unknown key "constructor"'),
    expect.stringContaining('listen.toString: unknown key "toString"'),
  ])
})
