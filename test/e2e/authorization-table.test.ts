/** Rules × principals × methods × phases × eras × paths, through one gateway; what is expected stands in the table. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import type { Era, Who } from '../support/authorization-rows.js'
import { PROMPTS, TABLE, TOOLS } from '../support/authorization-rows.js'
import type { Use } from '../support/authorization-uses.js'
import { usesOf } from '../support/authorization-uses.js'
import type { RunningGateway } from '../support/gateway.js'
import { configOf, startGateway } from '../support/gateway.js'
import { Issuer } from '../support/issuer.js'
import { ModernClient } from '../support/modern-client.js'
import type { Headers, RawResponse } from '../support/raw-client.js'
import { get, openSession } from '../support/raw-client.js'
import type { Upstream } from '../support/upstream-server.js'
import { startUpstream } from '../support/upstream-server.js'

/** What the key shows comes from inside, as its header says. */
const KEY = { 'x-api-key': 'the-key-of-the-table-01', 'x-zone': 'inside' }
const CLAIMS = {
  user: { role: 'user', level: 1 },
  admin: { role: 'admin', level: 5, groups: ['ops'] },
}

const LISTS = ['tools', 'prompts', 'resources', 'resources/templates']

interface Seat {
  readonly who: Who
  readonly era: Era
  readonly path: string
  ask(method: string, params?: JsonObject): Promise<RawResponse>
}

let issuer: Issuer
let upstream: Upstream
let gateway: RunningGateway
let config: Parameters<typeof startGateway>[0]
const seats: Seat[] = []

beforeAll(async () => {
  issuer = await Issuer.start()
  upstream = await startUpstream({
    tools: TOOLS.split(' ').map((name) => ({
      name,
      inputSchema: { type: 'object' },
      annotations: { readOnlyHint: name === 'read' },
    })),
    prompts: PROMPTS.split(' ').map((name) => ({ name })),
    resources: ['open', 'secret'].map((name) => ({ uri: `note://${name}`, name })),
    templates: [{ uriTemplate: 'vault://{id}', name: 'vault' }],
    completions: true,
    capabilities: { resources: { subscribe: true } },
    handlers: {
      'tools/call': () => ({ content: [] }),
      'prompts/get': () => ({ messages: [] }),
      'resources/read': ({ uri = null }) => {
        if (!/^(note|vault):/.test(String(uri)))
          throw Object.assign(new Error('none'), { code: -32002 })
        return { contents: [{ uri, text: 'x' }] }
      },
      'resources/subscribe': () => ({}),
      'completion/complete': () => ({ completion: { values: [] } }),
    },
  })
  config = {
    admin: { port: 0 },
    targets: [{ name: 't', mcp: { url: upstream.url } }],
    authentication: {
      mode: 'optional',
      jwt: [{ issuer: issuer.url, audiences: ['gateway'], jwks: { url: `${issuer.url}/keys` } }],
      apiKeys: [{ name: 'ci', key: KEY['x-api-key'], claims: { role: 'bot' } }],
    },
  }
  gateway = await startGateway(config)
  const bearer = async (who: 'user' | 'admin') => ({
    authorization: `Bearer ${await issuer.token({ subject: who, claims: CLAIMS[who] })}`,
  })
  const shown: Record<Who, Headers> = {
    nobody: {},
    user: await bearer('user'),
    admin: await bearer('admin'),
    key: KEY,
  }
  for (const [who, headers] of Object.entries(shown) as [Who, Headers][]) {
    for (const path of ['', '/t']) {
      const session = await openSession(gateway.url + path, undefined, {}, headers)
      const client = new ModernClient(gateway.url + path)
      seats.push(
        { who, era: 'legacy', path, ask: (method, params) => session.request(method, params) },
        {
          who,
          era: 'modern',
          path,
          ask: (method, params) => client.request(method, params, { headers }),
        },
      )
    }
  }
})

afterAll(async () => {
  await gateway[Symbol.asyncDispose]()
  await upstream[Symbol.asyncDispose]()
  await issuer[Symbol.asyncDispose]()
})

describe.each(TABLE)('$name', ({ rules, sees, uses = sees, never = [], only }) => {
  beforeAll(() => gateway.apply(configOf({ ...config, authorization: { rules: [...rules] } })))
  const of = (expected: Record<Who, string>, { who, era }: Seat): string =>
    only === undefined || only === era ? expected[who] : ''
  const may = (seat: Seat, { item, way }: Use): boolean =>
    of(uses, seat).split(' ').includes(item) && !never.includes(`${way} ${item}`)

  it('is what lists show', async () => {
    for (const seat of seats) {
      const shown = await Promise.all(
        LISTS.map(async (kind) => namesIn(await seat.ask(`${kind}/list`))),
      )
      expect(`${nameOf(seat)}: ${shown.flat().join(' ')}`).toBe(
        `${nameOf(seat)}: ${of(sees, seat)}`,
      )
    }
  })

  it('is what can be used; each denial is counted, and reads as what never existed', async () => {
    const before = await denials()
    const denied: [Seat, Use, RawResponse][] = []
    for (const seat of seats) {
      const all = usesIn(seat)
      const answers = await Promise.all(all.map(async (use) => askFor(seat, use)))
      const isDone = answers.map(({ json }) => json['result'] !== undefined)
      expect([nameOf(seat), all.filter((_, index) => isDone[index]).map(say)]).toEqual([
        nameOf(seat),
        all.filter((use) => may(seat, use)).map(say),
      ])
      for (const [index, use] of all.entries()) {
        const answer = answers[index]
        if (answer !== undefined && isDone[index] === false) denied.push([seat, use, answer])
      }
    }
    expect((await denials()) - before).toBe(denied.length)

    const absent = new Map<string, Promise<RawResponse>>()
    for (const [seat, use, answer] of denied) {
      const isUri = use.name.includes('://')
      const name = isUri ? 'none://none' : use.name.replace(/[a-z]+$/, 'none')
      const key = `${nameOf(seat)} ${use.way} ${isUri}`
      const asked = absent.get(key) ?? askFor(seat, { ...use, name })
      absent.set(key, asked)
      expect(wordsOf(answer, use.name)).toEqual(wordsOf(await asked, name))
      const code = isUri && seat.era === 'legacy' ? -32002 : -32602
      expect(answer.json).toMatchObject({ error: { code } })
    }
  })
})

/** All that an answer says but for the name that was asked for. */
const wordsOf = ({ status, json }: RawResponse, name: string) => [
  status,
  JSON.stringify(json['error']).replaceAll(name, '…'),
]
const usesIn = ({ path, era }: Seat): Use[] =>
  usesOf(path === '' ? 't__' : '').filter((use) => use.eras.includes(era))
const askFor = (seat: Seat, { method, params, name }: Use) => seat.ask(method, params(name))
const nameOf = ({ who, era, path }: Seat): string => `${who}, ${era}, /mcp${path}`
const say = ({ way, item }: Use): string => `${way} ${item}`

function namesIn({ json }: RawResponse): string[] {
  const lists = Object.values(json['result'] as JsonObject).filter((it) =>
    Array.isArray(it),
  ) as JsonObject[][]
  return lists.flat().map((it) => String(it['name']).replace('t__', ''))
}

/** All of them so far, of all kinds. */
async function denials(): Promise<number> {
  const { text } = await get(`${gateway.adminUrl}/metrics`)
  const counts = [...text.matchAll(/^mcp_junction_denied_total\{.*\} (\d+)/gm)].map((it) =>
    Number(it[1]),
  )
  return counts.reduce((sum, it) => sum + it, 0)
}
