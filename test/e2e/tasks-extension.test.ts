import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import { ModernError, startModern } from '../support/modern-upstream.js'
import { openSession } from '../support/raw-client.js'
import { startUpstream } from '../support/upstream-server.js'

const TASKS = 'io.modelcontextprotocol/tasks'
const KNOWS = { extensions: { [TASKS]: {} } }
const task = {
  taskId: 't1',
  status: 'working',
  createdAt: '2026-01-01T00:00:00Z',
  lastUpdatedAt: '2026-01-01T00:00:00Z',
  ttlMs: 60_000,
}
const text = (it: string): JsonObject => ({ content: [{ type: 'text', text: it }] })
const resultOf = ({ json }: { json: JsonObject }) => json['result'] as JsonObject
const codeOf = ({ json }: { json: JsonObject }) => (json['error'] as JsonObject)['code']

/** A server of 2026-07-28 whose tool runs as a task for those who know tasks. */
const startTasks = () =>
  startModern({
    capabilities: { extensions: { [TASKS]: {} } },
    handlers: {
      'tools/call': ({ meta }) => {
        const declared = meta['io.modelcontextprotocol/clientCapabilities'] as JsonObject
        return declared['extensions'] === undefined
          ? text('at once')
          : { resultType: 'task', ...task }
      },
      'tasks/get': ({ params }) => {
        if (params['taskId'] !== 't1') throw new ModernError(-32602)
        const q = { method: 'elicitation/create', params: { message: '?', requestedSchema: {} } }
        return { ...task, status: 'input_required', inputRequests: { q } }
      },
      'tasks/update': () => ({}),
      'tasks/cancel': () => ({}),
    },
  })

describe('the tasks extension, at a server of 2026-07-28', () => {
  it('is offered, and its tasks are known by an id of ours, repeated in the header [R66]', async () => {
    await using upstream = await startTasks()
    const keys = [randomBytes(32).toString('base64')]
    const targets = [{ name: 'a', mcp: { url: upstream.url } }]
    await using gateway = await startGateway({ targets, sessions: { keys } })
    await using other = await startGateway({ targets, sessions: { keys } })
    const client = new ModernClient(gateway.url)
    const { capabilities } = resultOf(await client.request('server/discover'))
    expect(capabilities).toMatchObject(KNOWS)
    const made = resultOf(await client.call('a__echo', {}, { capabilities: KNOWS }))
    const { taskId } = made as { taskId: string }
    expect(made).toMatchObject({
      ...task,
      resultType: 'task',
      taskId: expect.stringMatching(/^[\w-]{60,}$/) as string,
    })

    // Any process that has the key knows the task.
    const elsewhere = new ModernClient(other.url)
    const got = resultOf(await elsewhere.request('tasks/get', { taskId }, { capabilities: KNOWS }))
    expect(got).toMatchObject({
      resultType: 'complete',
      taskId,
      inputRequests: { q: { params: { message: '[a] ?' } } },
    })
    const inputResponses = { q: { action: 'decline' } }
    await client.request('tasks/update', { taskId, inputResponses }, { capabilities: KNOWS })
    await client.request('tasks/cancel', { taskId }, { capabilities: KNOWS })
    for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
      const [asked] = upstream.asked(method)
      expect([asked?.params['taskId'], asked?.headers['mcp-name']]).toEqual(['t1', 't1'])
    }
    expect(upstream.asked('tasks/update')[0]?.params['inputResponses']).toEqual(inputResponses)
  })

  it('needs clients that declare it, the right header and a task that is there [R65][R66][R67]', async () => {
    await using upstream = await startTasks()
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const client = new ModernClient(gateway.url)
    const stranger = await client.request('tasks/get', { taskId: 'x' })
    expect([stranger.status, codeOf(stranger)]).toEqual([400, -32021])
    expect(stranger.json['error']).toMatchObject({ data: { requiredCapabilities: KNOWS } })
    const unknown = await client.request('tasks/get', { taskId: 't1' }, { capabilities: KNOWS })
    expect([unknown.status, codeOf(unknown)]).toEqual([200, -32602])
    const headers = { 'mcp-name': 'y' }
    const odd = await client.request(
      'tasks/get',
      { taskId: 't1' },
      { capabilities: KNOWS, headers },
    )
    expect([odd.status, codeOf(odd)]).toEqual([400, -32020])
    for (const method of ['tasks/result', 'tasks/list']) {
      const removed = await client.request(method, { taskId: 't1' }, { capabilities: KNOWS })
      expect([removed.status, codeOf(removed)]).toEqual([404, -32601])
    }
    // A wish for a task is not heard, and clients that know none get none.
    const wish = await client.request('tools/call', { name: 'a__echo', task: { ttl: 1 } })
    expect(resultOf(wish)).toMatchObject({ ...text('at once'), resultType: 'complete' })
    expect(upstream.asked('tools/call')[0]?.params).not.toHaveProperty('task')
    const session = await openSession(gateway.url, undefined, { elicitation: {} })
    expect((await session.call('a__echo')).json).toMatchObject({ result: text('at once') })
  })
})

describe('the tasks extension, at a server of 2025-11-25', () => {
  /** Its one tool runs as a task and in no other way. */
  async function world(state: { status: string }) {
    const upstream = await startUpstream({
      tools: [{ name: 'dig', inputSchema: {}, execution: { taskSupport: 'required' } }],
      capabilities: { tasks: { cancel: {}, requests: { tools: { call: {} } } } },
      handlers: {
        'tools/call': () => ({ task: { ...older, status: 'working' } }),
        'tasks/get': () => ({ ...older, status: state.status }),
        'tasks/cancel': () => {
          throw Object.assign(new Error('it has ended'), { code: -32602 })
        },
        'tasks/result': () => {
          if (state.status === 'failed') throw Object.assign(new Error('broke'), { code: -32000 })
          const related = { 'io.modelcontextprotocol/related-task': { taskId: 't1' } }
          return { ...text('dug'), _meta: { ...related, k: 1 } }
        },
      },
    })
    const gateway = await startGateway({ targets: [{ name: 'a', mcp: { url: upstream.url } }] })
    return {
      upstream,
      client: new ModernClient(gateway.url),
      [Symbol.asyncDispose]: async () => {
        await gateway.close()
        await upstream[Symbol.asyncDispose]()
      },
    }
  }
  const older = { taskId: 't1', createdAt: 'c', lastUpdatedAt: 'l', ttl: 1_000, pollInterval: 10 }

  it('is the same task in its dialect [R86]', async () => {
    const state = { status: 'working' }
    await using it = await world(state)
    const made = resultOf(await it.client.call('a__dig', {}, { capabilities: KNOWS }))
    const { taskId } = made as { taskId: string }
    expect(made).toMatchObject({
      resultType: 'task',
      status: 'working',
      createdAt: 'c',
      lastUpdatedAt: 'l',
      ttlMs: 1_000,
      pollIntervalMs: 10,
    })
    expect(made).not.toHaveProperty('task')
    expect(made).not.toHaveProperty('ttl')
    const get = async () =>
      resultOf(await it.client.request('tasks/get', { taskId }, { capabilities: KNOWS }))
    expect(await get()).toMatchObject({ resultType: 'complete', taskId, status: 'working' })
    state.status = 'completed'
    const done = await get()
    expect(done).toMatchObject({ taskId, status: 'completed', ttlMs: 1_000 })
    expect(done['result']).toEqual({ ...text('dug'), _meta: { k: 1 } })
    state.status = 'failed'
    expect(await get()).toMatchObject({
      status: 'failed',
      error: { code: -32000, message: 'broke' },
    })
    state.status = 'input_required'
    expect(await get()).toMatchObject({ status: 'failed', error: { code: -32603 } })
    const cancelled = await it.client.request('tasks/cancel', { taskId }, { capabilities: KNOWS })
    expect(resultOf(cancelled)).toMatchObject({ resultType: 'complete' })
  })

  it('is waited for, for a client that knows no tasks', async () => {
    await using it = await world({ status: 'completed' })
    const result = resultOf(await it.client.call('a__dig'))
    expect(result).toMatchObject({ ...text('dug'), resultType: 'complete' })
    expect(it.upstream.asked('tools/call')[0]?.params['task']).toEqual({})
  })
})
