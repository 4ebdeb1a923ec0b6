// Tools that need input before they have a result (2026-07-28 basic/patterns/mrtr). What they know from one round to the
// next is in the state that the client carries, signed so that it cannot be changed.
import { ProtocolError } from '@modelcontextprotocol/server'
import { createHmac, randomBytes } from 'node:crypto'

const key = randomBytes(32)
const sign = (text) => createHmac('sha256', key).update(text).digest('base64url')
const seal = (state) => {
  const text = Buffer.from(JSON.stringify(state)).toString('base64url')
  return `${text}.${sign(text)}`
}

function unseal(sealed) {
  const [text = '', signature] = String(sealed).split('.')
  if (signature !== sign(text)) throw new ProtocolError(-32602, 'requestState was changed')
  return JSON.parse(Buffer.from(text, 'base64url').toString())
}

const said = (text) => ({ content: [{ type: 'text', text }] })

export const elicitation = (message, property, type = 'string') => ({
  method: 'elicitation/create',
  params: {
    message,
    requestedSchema: {
      type: 'object',
      properties: { [property]: { type } },
      required: [property],
    },
  },
})

export const sampling = (text, maxTokens) => ({
  method: 'sampling/createMessage',
  params: { messages: [{ role: 'user', content: { type: 'text', text } }], maxTokens },
})

const ROOTS = { method: 'roots/list', params: {} }

export const needs = (inputRequests, requestState) => ({
  resultType: 'input_required',
  inputRequests,
  ...(requestState === undefined ? {} : { requestState }),
})

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The responses to all of these, or nothing where one is missing or is no answer. */
function given(inputResponses, requests) {
  if (!isObject(inputResponses)) return undefined
  const isAnswered = Object.keys(requests).every((it) => isObject(inputResponses[it]))
  return isAnswered ? inputResponses : undefined
}

const tool = (name, run) => ({
  name,
  description: 'Needs input before it has a result',
  inputSchema: { type: 'object', properties: {} },
  run,
})

/** Asks once; `finish` makes the result of the answers. */
const once = (name, requests, finish, state) =>
  tool(name, (_, { inputResponses, requestState }) => {
    const answers = given(inputResponses, requests)
    if (state !== undefined && inputResponses !== undefined) unseal(requestState)
    if (answers === undefined) {
      return needs(requests, state === undefined ? undefined : seal(state))
    }
    return finish(answers)
  })

const NAME = { user_name: elicitation('What is your name?', 'name') }
const CONFIRM = { confirm: elicitation('Please confirm', 'ok', 'boolean') }

export const tools = [
  once('test_input_required_result_elicitation', NAME, ({ user_name: { content } }) =>
    typeof content?.name === 'string' ? said(`Hello, ${content.name}!`) : needs(NAME),
  ),
  once(
    'test_input_required_result_sampling',
    { capital_question: sampling('What is the capital of France?', 100) },
    ({ capital_question: { content } }) => said(content?.text ?? 'nothing'),
  ),
  once(
    'test_input_required_result_list_roots',
    { client_roots: ROOTS },
    ({ client_roots: { roots } }) => said(`Roots: ${JSON.stringify(roots)}`),
  ),
  once('test_input_required_result_request_state', CONFIRM, () => said('state-ok'), {
    asked: 'ok',
  }),
  once(
    'test_input_required_result_multiple_inputs',
    { ...NAME, greeting: sampling('Generate a greeting', 50), client_roots: ROOTS },
    () => said('Got all three.'),
    { asked: 'three' },
  ),
  once('test_input_required_result_tampered_state', CONFIRM, () => said('state-ok'), { asked: 1 }),
  once('test_streaming_elicitation', { q: elicitation('Go on?', 'answer') }, () =>
    said('Went on.'),
  ),
  tool('test_input_required_result_multi_round', (_, { inputResponses, requestState }) => {
    const first = { step1: elicitation('Step 1: What is your name?', 'name') }
    const second = { step2: elicitation('Step 2: What is your favorite color?', 'color') }
    if (requestState === undefined) return needs(first, seal({ round: 1 }))
    const { round } = unseal(requestState)
    if (round === 1) {
      if (given(inputResponses, first) === undefined) return needs(first, seal({ round: 1 }))
      return needs(second, seal({ round: 2 }))
    }
    return given(inputResponses, second) === undefined
      ? needs(second, seal({ round: 2 }))
      : said('Two rounds.')
  }),
  tool('test_input_required_result_capabilities', (_, { capabilities, inputResponses }) => {
    if (inputResponses !== undefined) return said('Answered.')
    return needs({
      ...(capabilities.sampling && { model: sampling('Say something', 10) }),
      ...(capabilities.elicitation && NAME),
      ...(capabilities.roots && { client_roots: ROOTS }),
    })
  }),
]

/** The prompt that needs input. */
export function answerPrompt({ inputResponses }) {
  const requests = { user_context: elicitation('What context should the prompt use?', 'context') }
  const answers = given(inputResponses, requests)
  if (answers === undefined) return needs(requests)
  const text = `With context: ${answers.user_context.content?.context}`
  return { messages: [{ role: 'user', content: { type: 'text', text } }] }
}
