// What the suite for 2026-07-28 calls, as far as a server of 2025-11-25 can have it: it asks in the middle of a call, and
// its tasks are those of its own revision.
import { McpError } from '@modelcontextprotocol/sdk/types.js'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { text } from './fixture-content.mjs'

const ANY = z.record(z.string(), z.unknown())
const TTL_MS = 60_000
const POLL_MS = 100

const tool = (name, call, more = {}) => ({
  name,
  description: 'For the revision of 2026-07-28',
  inputSchema: { type: 'object', properties: {} },
  call,
  ...more,
})

const elicit = (peer, message, property, type = 'string') => {
  const requestedSchema = {
    type: 'object',
    properties: { [property]: { type } },
    required: [property],
  }
  return peer.sendRequest(
    { method: 'elicitation/create', params: { message, requestedSchema } },
    ANY,
  )
}
const sample = (peer, question, maxTokens) => {
  const messages = [{ role: 'user', content: text(question) }]
  return peer.sendRequest(
    { method: 'sampling/createMessage', params: { messages, maxTokens } },
    ANY,
  )
}
const roots = (peer) => peer.sendRequest({ method: 'roots/list' }, ANY)

export const askPrompt = async (peer) => {
  const { content } = await elicit(peer, 'What context should the prompt use?', 'context')
  return [{ role: 'user', content: text(`With context: ${content?.context}`) }]
}

export const bridgeTools = [
  tool('test_missing_capability', (_, { capabilities }) => {
    if (capabilities.sampling !== undefined) return [text('You have it.')]
    throw new McpError(-32021, 'sampling is needed', { requiredCapabilities: { sampling: {} } })
  }),
  tool('test_logging_tool', async (_, { sendNotification }) => {
    const params = { level: 'info', data: 'Logged.' }
    await sendNotification({ method: 'notifications/message', params })
    return [text('Done.')]
  }),
  tool('test_streaming_elicitation', async (_, peer) => {
    await elicit(peer, 'Go on?', 'answer')
    return [text('Went on.')]
  }),
  tool('test_input_required_result_elicitation', async (_, peer) => {
    const { content } = await elicit(peer, 'What is your name?', 'name')
    return [text(`Hello, ${content?.name}!`)]
  }),
  tool('test_input_required_result_sampling', async (_, peer) => {
    const { content } = await sample(peer, 'What is the capital of France?', 100)
    return [text(content?.text ?? 'nothing')]
  }),
  tool('test_input_required_result_list_roots', async (_, peer) => [
    text(`Roots: ${JSON.stringify((await roots(peer)).roots)}`),
  ]),
  ...['request_state', 'tampered_state'].map((name) =>
    tool(`test_input_required_result_${name}`, async (_, peer) => {
      await elicit(peer, 'Please confirm', 'ok', 'boolean')
      return [text('state-ok')]
    }),
  ),
  tool('test_input_required_result_multiple_inputs', async (_, peer) => {
    await Promise.all([
      elicit(peer, 'What is your name?', 'name'),
      sample(peer, 'Generate a greeting', 50),
      roots(peer),
    ])
    return [text('Got all three.')]
  }),
  tool('test_input_required_result_multi_round', async (_, peer) => {
    await elicit(peer, 'Step 1: What is your name?', 'name')
    await elicit(peer, 'Step 2: What is your favorite color?', 'color')
    return [text('Two rounds.')]
  }),
  tool('test_input_required_result_capabilities', async (_, peer) => {
    const { sampling, elicitation } = peer.capabilities
    await Promise.all([
      sampling && sample(peer, 'Say something', 10),
      elicitation && elicit(peer, 'What is your name?', 'name'),
    ])
    return [text('Answered.')]
  }),
  {
    ...tool('test_x_mcp_header', ({ region }) => [text(String(region))]),
    inputSchema: {
      type: 'object',
      properties: {
        region: { type: 'string', 'x-mcp-header': 'Region' },
        priority: { type: 'integer', 'x-mcp-header': 'Priority' },
        verbose: { type: 'boolean', 'x-mcp-header': 'Verbose' },
        query: { type: 'string' },
      },
    },
  },
  tool('greet', ({ name }) => [text(`Hello, ${name}!`)]),
  ...Object.entries({
    slow_compute: async ({ seconds = 0, label = '' }) => {
      await sleep(seconds * 1_000)
      return { content: [text(`Computed ${label} for ${seconds} seconds.`)] }
    },
    failing_job: async () => ({ content: [text('The job failed.')], isError: true }),
  }).map(([name, work]) => tool(name, undefined, { execution: { taskSupport: 'required' }, work })),
]

/** Runs a tool as a task of 2025-11-25. */
export async function startTask({ work }, given, { taskStore }) {
  const task = await taskStore.createTask({ ttl: TTL_MS, pollInterval: POLL_MS })
  const finish = async () => {
    const result = await work(given)
    const { status } = await taskStore.getTask(task.taskId)
    if (status === 'working') await taskStore.storeTaskResult(task.taskId, 'completed', result)
  }
  void finish()
  return { task }
}
