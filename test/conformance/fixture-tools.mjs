// The tools the suite calls by name. Each `call` gives the content of its result; what it throws becomes `isError`.
import { CreateMessageResultSchema, ElicitResultSchema } from '@modelcontextprotocol/sdk/types.js'
import { setTimeout as sleep } from 'node:timers/promises'
import { embedded, image, text, WAV } from './fixture-content.mjs'

const STEP_MS = 50

const ENUMS = ['option1', 'option2', 'option3']
const titled = (kind) =>
  ['First', 'Second', 'Third'].map((it, index) => ({
    const: `value${index + 1}`,
    title: `${it} ${kind}`,
  }))

/** As the suite compares it. */
const SCHEMA_2020_12 = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  $defs: {
    address: {
      $anchor: 'addressDef',
      type: 'object',
      properties: { street: { type: 'string' }, city: { type: 'string' } },
    },
  },
  properties: {
    name: { type: 'string' },
    address: { $ref: '#/$defs/address' },
    contactMethod: { type: 'string', enum: ['phone', 'email'] },
    phone: { type: 'string' },
    email: { type: 'string' },
  },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
  // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
  then: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
}

const tool = (name, description, call, properties = {}) => ({
  name,
  description,
  inputSchema: { type: 'object', properties, required: Object.keys(properties) },
  call,
})

async function elicit(peer, message, properties, required) {
  if (peer.capabilities.elicitation === undefined) throw new Error('The client cannot be asked')
  const requestedSchema = { type: 'object', properties, ...(required && { required }) }
  const { action, content } = await peer.sendRequest(
    { method: 'elicitation/create', params: { message, requestedSchema } },
    ElicitResultSchema,
  )
  return `action=${action}, content=${JSON.stringify(content ?? {})}`
}

export const tools = [
  tool('test_simple_text', 'Gives text', () => [
    text('This is a simple text response for testing.'),
  ]),
  tool('test_image_content', 'Gives an image', () => [image]),
  tool('test_audio_content', 'Gives sound', () => [
    { type: 'audio', data: WAV, mimeType: 'audio/wav' },
  ]),
  tool('test_embedded_resource', 'Gives a resource', () => [
    embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource content.'),
  ]),
  tool('test_multiple_content_types', 'Gives text, an image and a resource', () => [
    text('Multiple content types test:'),
    image,
    embedded(
      'test://mixed-content-resource',
      'application/json',
      JSON.stringify({ test: 'data', value: 123 }),
    ),
  ]),
  tool('test_tool_with_logging', 'Logs while it runs', async (_, peer) => {
    const log = (data) =>
      peer.sendNotification({ method: 'notifications/message', params: { level: 'info', data } })
    await log('Tool execution started')
    await sleep(STEP_MS)
    await log('Tool processing data')
    await sleep(STEP_MS)
    await log('Tool execution completed')
    return [text('Logged three messages.')]
  }),
  tool(
    'test_tool_with_progress',
    'Reports progress while it runs',
    async (_, { _meta: meta, ...peer }) => {
      const progressToken = meta?.progressToken
      for (const progress of [0, 50, 100]) {
        if (progress > 0) await sleep(STEP_MS)
        if (progressToken === undefined) continue
        await peer.sendNotification({
          method: 'notifications/progress',
          params: { progressToken, progress, total: 100 },
        })
      }
      return [text('Came to 100 of 100.')]
    },
  ),
  tool('test_error_handling', 'Always fails', () => {
    throw new Error('This tool intentionally returns an error for testing')
  }),
  tool(
    'test_sampling',
    "Asks the client's model",
    async ({ prompt }, peer) => {
      if (peer.capabilities.sampling === undefined) throw new Error('The client has no model')
      const { content } = await peer.sendRequest(
        {
          method: 'sampling/createMessage',
          params: { messages: [{ role: 'user', content: text(prompt) }], maxTokens: 100 },
        },
        CreateMessageResultSchema,
      )
      return [text(`LLM response: ${content.text ?? ''}`)]
    },
    { prompt: { type: 'string', description: 'What to ask' } },
  ),
  tool(
    'test_elicitation',
    'Asks the user',
    async ({ message }, peer) => {
      const properties = {
        username: { type: 'string', description: "User's response" },
        email: { type: 'string', description: "User's email address" },
      }
      const answer = await elicit(peer, message, properties, ['username', 'email'])
      return [text(`User response: ${answer}`)]
    },
    { message: { type: 'string', description: 'What to ask' } },
  ),
  tool('test_elicitation_sep1034_defaults', 'Asks with defaults of every type', async (_, peer) => {
    const answer = await elicit(peer, 'Please check these values', {
      name: { type: 'string', default: 'John Doe' },
      age: { type: 'integer', default: 30 },
      score: { type: 'number', default: 95.5 },
      status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
      verified: { type: 'boolean', default: true },
    })
    return [text(`Elicitation completed: ${answer}`)]
  }),
  tool('test_elicitation_sep1330_enums', 'Asks with every kind of enum', async (_, peer) => {
    const answer = await elicit(peer, 'Please choose', {
      untitledSingle: { type: 'string', enum: ENUMS },
      titledSingle: { type: 'string', oneOf: titled('Option') },
      legacyEnum: {
        type: 'string',
        enum: ['opt1', 'opt2', 'opt3'],
        enumNames: ['Option One', 'Option Two', 'Option Three'],
      },
      untitledMulti: { type: 'array', items: { type: 'string', enum: ENUMS } },
      titledMulti: { type: 'array', items: { anyOf: titled('Choice') } },
    })
    return [text(`Elicitation completed: ${answer}`)]
  }),
  tool('test_reconnection', 'Closes its stream before it answers', async (_, peer) => {
    peer.closeSSEStream?.()
    await sleep(STEP_MS)
    return [text('Answered after the stream was closed.')]
  }),
  {
    ...tool('json_schema_2020_12_tool', 'Tool with JSON Schema 2020-12 features', () => [
      text('Called.'),
    ]),
    inputSchema: SCHEMA_2020_12,
  },
]
