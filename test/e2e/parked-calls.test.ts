import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { JsonObject } from '../../backends/index.js'
import { startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import type { Handler } from '../support/upstream-server.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const ANY = z.record(z.string(), z.unknown())
const ELICITS = { elicitation: { form: {}, url: {} } }
const requestedSchema = { type: 'object', properties: {} } as const
const resultOf = ({ json }: { json: JsonObject }) => json['result'] as JsonObject
const errorOf = ({ json }: { json: JsonObject }) => json['error'] as JsonObject

/** Asks for what its arguments say, one after the other, and gives back the answers. */
const asking: Handler = async ({ arguments: given }, { sendRequest }) => {
  const answers: unknown[] = []
  for (const message of (given as { messages: string[] }).messages) {
    const params = { message, requestedSchema }
    const asked = sendRequest({ method: 'elicitation/create', params }, ANY)
    answers.push(await asked.catch((error: { code: number }) => error.code))
  }
  return { content: [{ type: 'text', text: JSON.stringify(answers) }] }
}

async function world(target: JsonObject, handler: Handler = asking) {
  const upstream = await startEcho({ handlers: { 'tools/call': handler } })
  const targets = [{ name: 'a', mcp: { url: upstream.url }, ...target }]
  const sessions = { keys: [randomBytes(32).toString('base64')] }
  const gateway = await startGateway({ targets, sessions })
  const client = new ModernClient(gateway.url)
  return {
    upstream,
    targets,
    sessions,
    client,
    call: (more: JsonObject = {}, capabilities: JsonObject = ELICITS) =>
      client.request(
        'tools/call',
        { name: 'a__echo', arguments: { messages: ['one', 'two'] }, ...more },
        { capabilities },
      ),
    [Symbol.asyncDispose]: async () => {
      await gateway.close()
      await upstream[Symbol.asyncDispose]()
    },
  }
}

const textOf = (result: JsonObject): unknown => {
  const [{ text }] = result['content'] as [{ text: string }]
  return JSON.parse(text)
}

describe('a call of a client of 2026-07-28 to an older server', () => {
  it('waits while the client is asked, round by round, where the target allows it', async () => {
    await using it = await world({ parkCalls: true })
    const first = resultOf(await it.call())
    expect(first).toMatchObject({
      resultType: 'input_required',
      inputRequests: { q1: { method: 'elicitation/create', params: { message: '[a] one' } } },
    })
    const { requestState = null } = first
    // An answer that is left out is asked for again.
    const again = resultOf(await it.call({ requestState, inputResponses: { other: {} } }))
    expect(again['inputRequests']).toEqual(first['inputRequests'])
    const q1 = { action: 'accept', content: { n: 1 } }
    const second = resultOf(await it.call({ requestState, inputResponses: { q1 } }))
    expect(second['inputRequests']).toMatchObject({ q2: { params: { message: '[a] two' } } })
    const q2 = { action: 'decline' }
    const { requestState: next = null } = second
    const done = resultOf(await it.call({ requestState: next, inputResponses: { q2 } }))
    expect(textOf(done)).toEqual([q1, q2])
    expect(it.upstream.asked('tools/call')).toHaveLength(1)
    // It is over: nobody waits for this answer any more.
    const late = await it.call({ requestState: next, inputResponses: { q2 } })
    expect(errorOf(late)).toMatchObject({ code: -32602 })
  })

  it('is not asked anything where the target does not allow it, and the server is told so [R34]', async () => {
    await using it = await world({})
    expect(textOf(resultOf(await it.call()))).toEqual([-32601, -32601])
    expect(it.upstream.initialized.at(-1)).toEqual({ capabilities: {} })
  })

  it('is not asked what that client did not declare with it', async () => {
    await using it = await world({ parkCalls: true })
    expect(textOf(resultOf(await it.call({}, {})))).toEqual([-32601, -32601])
  })

  it('is given up, and the server told, when the client leaves while it waits for the next answer', async () => {
    let isCancelled = false
    await using it = await world({ parkCalls: true }, async (_, { sendRequest, signal }) => {
      signal.addEventListener('abort', () => (isCancelled = true))
      const params = { message: 'one', requestedSchema }
      await sendRequest({ method: 'elicitation/create', params }, ANY)
      return new Promise(() => undefined)
    })
    const { requestState = null } = resultOf(await it.call())
    const params = {
      name: 'a__echo',
      arguments: { messages: ['one', 'two'] },
      requestState,
      inputResponses: { q1: { action: 'accept' } },
      _meta: {},
    }
    const cut = new AbortController()
    const running = it.client.request('tools/call', params, {
      capabilities: ELICITS,
      signal: cut.signal,
    })
    await waitUntil(() => it.upstream.asked('tools/call').length === 1, 'the call')
    setTimeout(() => cut.abort(), 50)
    await expect(running).rejects.toThrow(/abort/i)
    await waitUntil(() => isCancelled, 'the server to be told')
  })

  it('that is waiting at a process that cannot be reached is told so, and how to go on', async () => {
    await using it = await world({ parkCalls: true })
    await using other = await startGateway({
      targets: it.targets,
      sessions: { ...it.sessions, peers: false },
    })
    const { requestState = null } = resultOf(await it.call())
    const params = {
      name: 'a__echo',
      arguments: { messages: ['one', 'two'] },
      requestState,
      inputResponses: { q1: {} },
    }
    const elsewhere = new ModernClient(other.url)
    const answer = await elsewhere.request('tools/call', params, { capabilities: ELICITS })
    expect(errorOf(answer)).toMatchObject({
      code: -32602,
      message: expect.stringContaining('call again'),
    })
  })

  it('that needs URLs visited first is made anew when they were, at any process [R20]', async () => {
    let isVisited = false
    const elicitations = [
      { mode: 'url', url: 'https://example.com/x', message: 'Go', elicitationId: '7' },
    ]
    await using it = await world({}, () => {
      if (isVisited) return { content: [{ type: 'text', text: '"done"' }] }
      throw Object.assign(new Error('first'), { code: -32042, data: { elicitations } })
    })
    await using other = await startGateway({ targets: it.targets, sessions: it.sessions })
    const lacking = await it.call({}, { elicitation: { form: {} } })
    expect([lacking.status, errorOf(lacking)['code']]).toEqual([400, -32021])
    expect(errorOf(lacking)['data']).toEqual({ requiredCapabilities: { elicitation: { url: {} } } })
    const asked = resultOf(await it.call())
    expect(asked['inputRequests']).toEqual({
      url1: {
        method: 'elicitation/create',
        params: { mode: 'url', url: 'https://example.com/x', message: '[a] Go' },
      },
    })
    isVisited = true
    const params = {
      name: 'a__echo',
      arguments: { messages: ['one', 'two'] },
      requestState: asked['requestState'] ?? null,
      inputResponses: { url1: { action: 'accept' } },
    }
    const elsewhere = new ModernClient(other.url)
    const answer = await elsewhere.request('tools/call', params, { capabilities: ELICITS })
    expect(textOf(resultOf(answer))).toBe('done')
    const { params: sent } = it.upstream.asked('tools/call').at(-1) ?? { params: {} }
    expect(Object.keys(sent)).toEqual(['name', 'arguments'])
  })
})
