import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { CallToolResultSchema, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { JsonObject } from '../../backends/index.js'
import { EverythingProcess } from '../support/everything-process.js'
import { startGateway } from '../support/gateway.js'
import { openSession } from '../support/raw-client.js'
import type { Extra, Upstream } from '../support/upstream-server.js'
import { startEcho, startUpstream } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const RELATED = 'io.modelcontextprotocol/related-task'
const CAPABILITY = { tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } }
const ANY = z.record(z.string(), z.unknown())

/** A server whose one task, `t1`, is ended by the test. */
class TaskServer {
  readonly upstream: Promise<Upstream>
  /** Runs between the call and its answer. */
  beforeMade: (extra: Extra) => Promise<void> = async () => undefined
  /** Runs in `tasks/result`, before its result. */
  beforeResult: (extra: Extra) => Promise<void> = async () => undefined
  task = { taskId: 't1', status: 'working', ttl: 60_000, pollInterval: 10, createdAt: 'c' }
  #end: () => void = () => undefined
  readonly #ended = new Promise<void>((resolve) => (this.#end = resolve))

  constructor() {
    this.upstream = startUpstream({
      tools: [
        {
          name: 'dig',
          inputSchema: { type: 'object' },
          execution: { taskSupport: 'optional', x: 1 },
        },
      ],
      capabilities: CAPABILITY,
      handlers: {
        'tools/call': async (_, extra) => {
          await this.beforeMade(extra)
          return { task: this.task, _meta: { k: 1 } }
        },
        'tasks/get': () => this.task,
        'tasks/cancel': () => {
          this.task = { ...this.task, status: 'cancelled' }
          return this.task
        },
        'tasks/result': async (_, extra) => {
          await this.beforeResult(extra)
          await this.#ended
          return {
            content: [{ type: 'text', text: 'found' }],
            _meta: { [RELATED]: { taskId: 't1' } },
          }
        },
      },
    })
  }

  end(): void {
    this.#end()
  }
}

async function world(target: JsonObject = {}, sessions: JsonObject = {}) {
  const server = new TaskServer()
  const upstream = await server.upstream
  const plain = await startEcho({
    tools: [
      {
        name: 'echo',
        inputSchema: { type: 'object' },
        execution: { taskSupport: 'optional', x: 1 },
      },
    ],
  })
  const targets = [
    { name: 'a', mcp: { url: upstream.url }, ...target },
    { name: 'b', mcp: { url: plain.url } },
  ]
  const gateway = await startGateway({ targets, sessions })
  return {
    server,
    upstream,
    gateway,
    targets,
    [Symbol.asyncDispose]: async () => {
      server.end()
      await gateway.close()
      await Promise.all([upstream[Symbol.asyncDispose](), plain[Symbol.asyncDispose]()])
    },
  }
}

const dig = (meta: JsonObject = {}): JsonObject => ({
  name: 'a__dig',
  arguments: {},
  task: { ttl: 60_000 },
  _meta: meta,
})
const resultOf = ({ json }: { json: JsonObject }) => json['result'] as JsonObject
const codeOf = ({ json }: { json: JsonObject }) => (json['error'] as JsonObject)['code']
const taskIdOf = (result: JsonObject) => (result['task'] as JsonObject)['taskId'] as string

describe('tasks of 2025-11-25', () => {
  it('run at a real server for a real client, questions included [R64]', async () => {
    await using everything = await EverythingProcess.start()
    await using gateway = await startGateway({
      targets: [{ name: 'everything', mcp: { url: everything.url } }],
    })
    const client = new Client(
      { name: 'client', version: '1' },
      { capabilities: { elicitation: { form: {} } } },
    )
    client.setRequestHandler(ElicitRequestSchema, async () => ({
      action: 'accept',
      content: { interpretation: 'snake' },
    }))
    await client.connect(new StreamableHTTPClientTransport(new URL(gateway.url)))
    await client.listTools()
    const seen: string[] = []
    const stream = client.experimental.tasks.callToolStream(
      {
        name: 'everything__simulate-research-query',
        arguments: { topic: 'python', ambiguous: true },
      },
      CallToolResultSchema,
      { task: { ttl: 60_000 } },
    )
    let text = ''
    for await (const message of stream) {
      seen.push(message.type)
      if (message.type === 'error') throw message.error
      if (message.type === 'result') text = JSON.stringify(message.result.content)
    }
    await client.close()
    expect(seen[0]).toBe('taskCreated')
    expect(text).toContain('python (snake)')
  })

  it('are known to clients by an id of ours, everywhere it stands [R64]', async () => {
    await using it = await world()
    const session = await openSession(it.gateway.url)
    expect(session.initialized['capabilities']).toMatchObject({
      tasks: { cancel: {}, requests: { tools: { call: {} } } },
    })
    const made = resultOf(await session.request('tools/call', dig()))
    const taskId = taskIdOf(made)
    expect(taskId).toMatch(/^[\w-]{60,}$/)
    expect(made).toEqual({ task: { ...it.server.task, taskId }, _meta: { k: 1 } })
    expect(it.upstream.asked('tools/call')[0]?.params['task']).toEqual({ ttl: 60_000 })

    expect(resultOf(await session.request('tasks/get', { taskId }))).toEqual({
      ...it.server.task,
      taskId,
    })
    it.server.end()
    expect(resultOf(await session.request('tasks/result', { taskId }))['_meta']).toEqual({
      [RELATED]: { taskId },
    })
    expect(resultOf(await session.request('tasks/cancel', { taskId }))).toMatchObject({
      taskId,
      status: 'cancelled',
    })
    for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel']) {
      expect(it.upstream.asked(method)[0]?.params['taskId']).toBe('t1')
    }
  })

  it('belong to nobody under another id, and are not listed, as callers may be anybody', async () => {
    await using it = await world()
    const session = await openSession(it.gateway.url)
    const taskId = taskIdOf(resultOf(await session.request('tools/call', dig())))
    const swapped = taskId.slice(0, -2) + (taskId.endsWith('AA') ? 'BB' : 'AA')
    for (const wrong of ['t1', swapped, '']) {
      const answer = await session.request('tasks/get', { taskId: wrong })
      expect([answer.status, codeOf(answer)]).toEqual([200, -32602])
    }
    expect(it.upstream.asked('tasks/get')).toEqual([])
    expect(codeOf(await session.request('tasks/list'))).toBe(-32601)
  })

  it('of another target alone are unknown at its own path, and its own are known', async () => {
    await using it = await world()
    const merged = await openSession(it.gateway.url)
    const taskId = taskIdOf(resultOf(await merged.request('tools/call', dig())))
    const a = await openSession(`${it.gateway.url}/a`)
    const b = await openSession(`${it.gateway.url}/b`)
    expect(resultOf(await a.request('tasks/get', { taskId }))['taskId']).toBe(taskId)
    expect(codeOf(await b.request('tasks/get', { taskId }))).toBe(-32601)
  })

  it('are not promised for tools of servers that have none, nor to older clients', async () => {
    await using it = await world()
    const session = await openSession(it.gateway.url)
    const { tools } = resultOf(await session.request('tools/list')) as { tools: JsonObject[] }
    expect(tools.map((tool) => [tool['name'], tool['execution']])).toEqual([
      ['a__dig', { taskSupport: 'optional', x: 1 }],
      ['b__echo', { taskSupport: 'forbidden', x: 1 }],
    ])
    const call = { name: 'b__echo', arguments: {}, task: {} }
    expect(codeOf(await session.request('tools/call', call))).toBe(-32601)
    const older = await openSession(it.gateway.url, '2025-06-18')
    expect(older.initialized['capabilities']).not.toHaveProperty('tasks')
  })

  it('are waited for longer than a call may take [R64]', async () => {
    await using it = await world({ timeouts: { call: '100ms' } })
    const session = await openSession(it.gateway.url)
    const taskId = taskIdOf(resultOf(await session.request('tools/call', dig())))
    const waiting = session.request('tasks/result', { taskId })
    await waitUntil(() => it.upstream.asked('tasks/result').length > 0, 'the wait to begin')
    // Another call that takes its time and fails shows that the time for calls has passed.
    it.server.beforeMade = () => new Promise<void>(() => undefined)
    expect(codeOf(await session.request('tools/call', dig()))).toBe(-32603)
    it.server.end()
    expect(resultOf(await waiting)['content']).toEqual([{ type: 'text', text: 'found' }])
  })

  it('can be asked about at another process that has the key', async () => {
    const keys = [randomBytes(32).toString('base64')]
    await using it = await world({}, { keys })
    await using other = await startGateway({ targets: it.targets, sessions: { keys } })
    const session = await openSession(it.gateway.url)
    const taskId = taskIdOf(resultOf(await session.request('tools/call', dig())))
    const elsewhere = await openSession(other.url)
    expect(resultOf(await elsewhere.request('tasks/get', { taskId }))['status']).toBe('working')
  })

  it('tell their state and progress to the client that made them, and to no other [R64]', async () => {
    await using it = await world()
    const session = await openSession(it.gateway.url)
    const stranger = await openSession(it.gateway.url)
    const [stream, other] = await Promise.all([session.listen(), stranger.listen()])
    const made = await session.request('tools/call', dig({ progressToken: 'mine' }))
    const taskId = taskIdOf(resultOf(made))
    const [asked] = it.upstream.asked('tools/call')
    const meta = asked?.params['_meta'] as { progressToken: number } | undefined
    const progressToken = meta?.progressToken ?? NaN

    const notify = it.upstream.notifyAll.bind(it.upstream)
    await notify('notifications/progress', { progressToken, progress: 1 })
    await notify('notifications/tasks/status', { ...it.server.task, statusMessage: 'half' })
    await notify('notifications/progress', { progressToken, progress: 1 })
    await notify('notifications/tasks/status', { ...it.server.task, status: 'completed' })
    await notify('notifications/progress', { progressToken, progress: 2 })
    await waitUntil(() => stream.messages.length >= 3, 'the messages')
    expect(stream.messages.map(({ method, params }) => [method, params])).toEqual([
      ['notifications/progress', { progress: 1, progressToken: 'mine' }],
      ['notifications/tasks/status', { ...it.server.task, taskId, statusMessage: 'half' }],
      ['notifications/tasks/status', { ...it.server.task, taskId, status: 'completed' }],
    ])
    expect(other.messages).toEqual([])
    stream.close()
    other.close()
  })

  it('ask the client on the stream of its wait for the result, and hear its answer [R63][R64]', async () => {
    await using it = await world()
    let answer: JsonObject = {}
    it.server.beforeResult = async ({ sendRequest }) => {
      const params = {
        message: 'Where?',
        requestedSchema: { type: 'object', properties: {} },
        _meta: { [RELATED]: { taskId: 't1' } },
      } as const
      answer = (await sendRequest({ method: 'elicitation/create', params }, ANY)) as JsonObject
      it.server.end()
    }
    const session = await openSession(it.gateway.url, undefined, { elicitation: {} })
    const taskId = taskIdOf(resultOf(await session.request('tools/call', dig())))
    const stream = await session.begin('tasks/result', { taskId })
    await stream.next('elicitation/create')
    const asked = stream.messages[0] as { id: string; params: JsonObject }
    expect(asked.params).toMatchObject({
      message: '[a] Where?',
      _meta: { [RELATED]: { taskId } },
    })
    await session.answer(asked.id, { action: 'decline', _meta: { [RELATED]: { taskId } } })
    await stream.ended
    expect(answer).toEqual({ action: 'decline', _meta: { [RELATED]: { taskId: 't1' } } })
  })

  it('that nobody waits for when they are made are cancelled by name, not by request [R60]', async () => {
    await using it = await world()
    let makeIt: () => void = () => undefined
    let isCancelled = false
    it.server.beforeMade = ({ signal }) => {
      signal.addEventListener('abort', () => (isCancelled = true))
      return new Promise<void>((resolve) => (makeIt = resolve))
    }
    const session = await openSession(it.gateway.url)
    const answer = session.begin('tools/call', dig())
    await waitUntil(() => it.upstream.asked('tools/call').length > 0, 'the call')
    await session.notify('notifications/cancelled', { requestId: 1 })
    makeIt()
    await waitUntil(() => it.upstream.asked('tasks/cancel').length > 0, 'the cancellation')
    expect(it.upstream.asked('tasks/cancel')[0]?.params).toEqual({ taskId: 't1' })
    expect(isCancelled).toBe(false)
    ;(await answer).close()
  })
})
