/**
 * What a client and a server can say to each other, said through the gateway: one body of tests for every pair of
 * transports and revisions. Client and server are the SDK's.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import type { Ends, Link } from './link.js'
import { ANSWERS, connect, MODERN } from './link.js'
import { waitUntil } from '../support/wait-until.js'
import { z } from 'zod'

const ANY_RESULT = z.record(z.string(), z.unknown())

const QUESTIONS: Readonly<Record<string, JsonObject>> = {
  sampling: {
    method: 'sampling/createMessage',
    params: { messages: [{ role: 'user', content: { type: 'text', text: '?' } }], maxTokens: 9 },
  },
  'elicitation by form': {
    method: 'elicitation/create',
    params: {
      message: 'Who?',
      requestedSchema: { type: 'object', properties: { name: { type: 'string' } } },
    },
  },
  'elicitation by URL': {
    method: 'elicitation/create',
    params: { mode: 'url', message: 'Go', url: 'https://example.com/x', elicitationId: '1' },
  },
  roots: { method: 'roots/list' },
}

export function describeContract(ends: Ends): void {
  const name = `a client of ${ends.client}, a server of ${ends.server} over ${ends.transport}`
  const isModern = ends.client === MODERN
  // With JSON as its answer, the SDK's server of this revision says nothing before it.
  const saysNothing = ends.server === MODERN && ends.transport === 'json'
  const hasTasks = ends.client === '2025-11-25' && ends.server === '2025-11-25'
  // oxlint-disable-next-line vitest/valid-title -- the pair of transports and revisions is the title
  describe(name, () => {
    let link: Link
    beforeAll(async () => {
      link = await connect(ends)
    })
    afterAll(() => link[Symbol.asyncDispose]())

    const call = (tool: string, given: JsonObject = {}) =>
      link.client.callTool({ name: `t__${tool}`, arguments: given })
    const textOf = (result: Awaited<ReturnType<typeof call>>) =>
      result.content[0]?.type === 'text' ? result.content[0].text : undefined

    it('a call and its result', async () => {
      const result = await call('plain', { a: 7 })
      expect(textOf(result)).toBe('plain 7')
      expect(result._meta).toMatchObject({ 'example.com/k': 1 })
    })

    it('a result that is an error', async () => {
      const result = await call('fail')
      expect([result.isError, textOf(result)]).toEqual([true, 'it failed'])
    })

    it('an error', async () => {
      await expect(call('throw')).rejects.toMatchObject({ code: 4711, data: { why: 'so' } })
    })

    it('structured content', async () => {
      expect(await call('structured')).toMatchObject({ structuredContent: { n: 1 } })
    })

    const spoken = saysNothing ? noTest : it
    spoken('progress', async () => {
      // The SDK loses progress that arrives together with the result.
      link.client.removeNotificationHandler('notifications/progress')
      const _meta = { progressToken: 'mine' }
      await link.client.callTool({ name: 't__progress', arguments: {}, _meta })
      const heard = () => link.heard.filter((it) => it.method === 'notifications/progress')
      await waitUntil(() => heard().length >= 3, 'the progress')
      expect(heard().map((it) => it.params)).toEqual(
        [1, 2, 3].map((progress) => ({ progress, progressToken: 'mine', total: 3 })),
      )
    })

    spoken('log messages, at the level asked for', async () => {
      if (!isModern) await link.client.setLoggingLevel('warning')
      const _meta = { 'io.modelcontextprotocol/logLevel': 'warning' }
      await link.client.callTool({ name: 't__log', arguments: {}, ...(isModern ? { _meta } : {}) })
      // On a channel that is not the call's, nothing says whose message it is (docs/eras.md).
      if (isModern && ends.server !== MODERN && ends.transport === 'json') return
      const logged = () => link.heard.filter((it) => it.method === 'notifications/message')
      await waitUntil(() => logged().length > 0, 'the log message')
      expect(logged().map((it) => it.params)).toEqual([
        { level: 'warning', logger: 't/l', data: 'said' },
      ])
    })

    it.each(Object.keys(QUESTIONS))('%s in the middle of a call', async (question) => {
      const asked = QUESTIONS[question] as { method: string }
      const answer: unknown = JSON.parse(textOf(await call('ask', asked)) ?? '')
      expect(answer).toEqual(ANSWERS[asked.method])
    })

    it('cancellation [R17][R18]', async () => {
      const cancel = new AbortController()
      const key = name
      const running = link.client.callTool(
        { name: 't__hang', arguments: { key } },
        { signal: cancel.signal },
      )
      // The SDK cancels what it has sent.
      await call('plain')
      cancel.abort()
      await expect(running).rejects.toThrow(/abort/i)
      const isCancelled = async () => textOf(await call('cancelled', { key })) === 'true'
      await waitUntil(isCancelled, 'the server to hear of it')
    })

    it('resources, prompts and completions', async () => {
      const { contents } = await link.client.readResource({ uri: 'contract://note' })
      expect(contents).toEqual([{ uri: 'contract://note', text: 'a note' }])
      const { messages } = await link.client.getPrompt({
        name: 't__greet',
        arguments: { who: 'Ada' },
      })
      expect(messages[0]?.content).toEqual({ type: 'text', text: 'Greet Ada' })
      const ref = { type: 'ref/prompt', name: 't__greet' } as const
      const { completion } = await link.client.complete({
        ref,
        argument: { name: 'who', value: 'A' },
      })
      expect(completion.values).toEqual(['A!'])
    })

    it('subscriptions to resources', async () => {
      const resourceSubscriptions = ['contract://note']
      const listening = isModern ? await link.client.listen({ resourceSubscriptions }) : undefined
      if (!isModern) await link.client.subscribeResource({ uri: 'contract://note' })
      await call('touch')
      const updates = () => link.heard.filter((it) => it.method.endsWith('/updated'))
      await waitUntil(() => updates().length > 0, 'the update')
      expect(updates().map((it) => it.params['uri'])).toEqual(resourceSubscriptions)
      if (isModern) await listening?.close()
      else await link.client.unsubscribeResource({ uri: 'contract://note' })
    })

    it('changes of lists', async () => {
      const tool = 'added'
      const listening = isModern ? await link.client.listen({ toolsListChanged: true }) : undefined
      await call('add', { name: tool })
      const changes = () => link.heard.filter((it) => it.method.endsWith('tools/list_changed'))
      await waitUntil(() => changes().length > 0, 'the change')
      const { tools } = await link.client.listTools()
      expect(tools.map((it) => it.name)).toContain(`t__${tool}`)
      expect(textOf(await call(tool))).toBe(`added tool ${tool}`)
      await listening?.close()
    })

    const withPing = isModern ? noTest : it
    withPing('pings', async () => {
      await expect(link.client.ping()).resolves.toEqual({})
    })

    it('tasks, from the revision on that has them', async () => {
      const capabilities = link.client.getServerCapabilities() as JsonObject
      expect(capabilities['tasks'] !== undefined).toBe(hasTasks)
      if (!hasTasks) return
      const request = (method: string, params: JsonObject) =>
        link.client.request({ method, params }, ANY_RESULT)
      const made = await request('tools/call', { name: 't__task', arguments: {}, task: {} })
      const { taskId } = made['task'] as { taskId: string }
      expect(await request('tasks/get', { taskId })).toMatchObject({ taskId, status: 'completed' })
      expect(await request('tasks/result', { taskId })).toMatchObject({
        content: [{ type: 'text', text: 'task done' }],
        _meta: { 'io.modelcontextprotocol/related-task': { taskId } },
      })
    })
  })
}

/** For what a revision or a transport does not have. */
function noTest(): void {}
