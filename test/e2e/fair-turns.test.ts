/** Principals that call the same busy server: none waits for all that another has waiting. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { startGateway } from '../support/gateway.js'
import { startModern } from '../support/modern-upstream.js'
import type { RawSession } from '../support/raw-client.js'
import { openSession, post } from '../support/raw-client.js'
import { ADA, authentication, BOB } from '../support/two-principals.js'
import type { Handler } from '../support/upstream-server.js'
import { echo, startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const sessionOf = (url: string, who: typeof ADA) => openSession(url, undefined, {}, who)

function gatewayTo(url: string, circuitBreaker: JsonObject, isOpen = false) {
  const targets = [{ name: 'a', mcp: { url }, circuitBreaker }]
  return startGateway({ targets, ...(isOpen ? {} : { authentication }) })
}

/** Calls that take a moment, and the marks of those that came. */
async function startSlow(era: 'legacy' | 'modern', ms: number) {
  const marks: string[] = []
  const answer = async (given: unknown) => {
    marks.push((given as { readonly mark: string }).mark)
    await sleep(ms)
    return { content: [{ type: 'text', text: JSON.stringify(given) }] }
  }
  const tools = [{ name: 'echo', inputSchema: { type: 'object' } }]
  const upstream =
    era === 'legacy'
      ? await startEcho({ handlers: { 'tools/call': (params) => answer(params['arguments']) } })
      : await startModern({
          tools,
          handlers: { 'tools/call': ({ params }) => answer(params['arguments']) },
        })
  return {
    marks,
    url: upstream.url,
    [Symbol.asyncDispose]: () => upstream[Symbol.asyncDispose](),
  }
}

const callAll = (session: RawSession, count: number) =>
  Array.from({ length: count }, (_, index) => session.call('a__echo', { mark: `ada ${index}` }))

describe('a principal with hundreds of calls', () => {
  it.each(['legacy', 'modern'] as const)(
    'holds up the few of another by turns alone, at a server of the %s era',
    async (era) => {
      await using slow = await startSlow(era, 20)
      await using gateway = await gatewayTo(slow.url, { maxConnections: 2 })
      const ada = await sessionOf(gateway.url, ADA)
      const bob = await sessionOf(gateway.url, BOB)
      const flood = callAll(ada, 400)
      await waitUntil(() => slow.marks.length > 4, 'the flood to arrive')
      for (let index = 0; index < 8; index++) {
        const before = slow.marks.length
        const { json } = await bob.call('a__echo', { mark: `bob ${index}` })
        expect(json).toMatchObject({ result: { content: [{ text: `{"mark":"bob ${index}"}` }] } })
        // Two run already, two get the connections before and after it; some come while its answer goes back.
        expect(slow.marks.length - before).toBeLessThan(40)
      }
      expect(slow.marks.length).toBeLessThan(400)
      for (const [index, { json }] of (await Promise.all(flood)).entries()) {
        expect(json).toMatchObject({ result: { content: [{ text: `{"mark":"ada ${index}"}` }] } })
      }
      expect(new Set(slow.marks).size).toBe(408)
    },
  )

  it('is a session where nobody is asked who they are', async () => {
    await using slow = await startSlow('legacy', 20)
    await using gateway = await gatewayTo(slow.url, { maxConnections: 1 }, true)
    const ada = await openSession(gateway.url)
    const bob = await openSession(gateway.url)
    const flood = callAll(ada, 100)
    await waitUntil(() => slow.marks.length > 4, 'the flood to arrive')
    await bob.call('a__echo', { mark: 'bob' })
    expect(slow.marks.length).toBeLessThan(60)
    await Promise.all(flood)
  })
})

it('where no more calls can wait, the newest of whoever has the most gives way to another', async () => {
  let finish: () => void = () => undefined
  const told = new Promise<void>((resolve) => (finish = resolve))
  const call: Handler = async (params, extra) => {
    await told
    return echo(params, extra)
  }
  await using busy = await startEcho({ handlers: { 'tools/call': call } })
  await using idle = await startEcho()
  await using gateway = await startGateway({
    authentication,
    targets: [
      {
        name: 'a',
        mcp: { url: busy.url },
        circuitBreaker: { maxConnections: 1, maxPending: 4 },
      },
      { name: 'b', mcp: { url: idle.url } },
    ],
  })
  /** All at once; the last, to another server, shows that they have come. */
  const callTogether = async (who: typeof ADA, count: number) => {
    const session = await openSession(gateway.url, '2025-03-26', {}, who)
    const batch = Array.from({ length: count + 1 }, (_, id) => ({
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: { name: id < count ? 'a__echo' : 'b__echo', arguments: { who: who['x-api-key'] } },
    }))
    const { length } = idle.asked('tools/call')
    const answers = post(session.url, batch, session.headers)
    await waitUntil(() => idle.asked('tools/call').length > length, 'the calls to arrive')
    return async () => (await answers).json as unknown as readonly JsonObject[]
  }
  const ada = await callTogether(ADA, 6)
  await waitUntil(() => busy.asked('tools/call').length === 1, 'the first to be sent')
  const bob = await callTogether(BOB, 3)
  finish()
  const refused = (answers: readonly JsonObject[]) =>
    answers
      .filter((it) => it['error'] !== undefined)
      .toSorted((a, b) => Number(a['id']) - Number(b['id']))
  // One of Ada's runs and four wait; two of them, the newest, make room, and then both have two waiting.
  const reason = { code: -32603, data: { target: 'a', reason: 'overloaded' } }
  expect(refused(await ada())).toMatchObject([3, 4, 5].map((id) => ({ id, error: reason })))
  expect(refused(await bob())).toMatchObject([{ id: 2, error: reason }])
  expect(busy.asked('tools/call')).toHaveLength(5)
})
