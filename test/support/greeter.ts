/** A server that greets: one tool, one prompt, one resource. */
import type { Handler, Upstream } from './upstream-server.js'
import { startEcho } from './upstream-server.js'

/** Asks who it is, where its arguments say so, reports progress, and greets. */
const greet: Handler = async ({ arguments: given, _meta }, { sendRequest, sendNotification }) => {
  const { progressToken } = (_meta ?? {}) as { progressToken?: string | number }
  if (progressToken !== undefined) {
    const params = { progressToken, progress: 1, total: 2, message: 'half of it' }
    await sendNotification({ method: 'notifications/progress', params })
  }
  const { ask = false, name = '' } = given as { ask?: boolean; name?: string }
  if (!ask) return { content: [{ type: 'text', text: `Hello ${name}` }] }
  const properties = { who: { type: 'string', title: 'Your name' } }
  const { content } = (await sendRequest(
    {
      method: 'elicitation/create',
      params: { message: 'Who are you?', requestedSchema: { type: 'object', properties } },
    } as never,
    ANY as never,
  )) as { content: { who: string } }
  return { content: [{ type: 'text', text: `Hello ${content.who}` }] }
}
const ANY = {
  parse: (value: unknown) => value,
  safeParse: (data: unknown) => ({ success: true, data }),
}

export const GREET = {
  name: 'greet',
  description: 'Greets somebody.',
  inputSchema: {
    type: 'object',
    properties: {
      name: { type: 'string', description: 'Whom.' },
      ask: { type: 'boolean', description: 'Ask for the name.' },
      times: { type: 'integer' },
    },
    required: ['name'],
  },
}
export function startGreeter(): Promise<Upstream> {
  return startEcho({
    tools: [GREET],
    prompts: [{ name: 'hello', description: 'A greeting', arguments: [{ name: 'who' }] }],
    resources: [{ uri: 'file:///greeting.txt', name: 'greeting' }],
    handlers: {
      'tools/call': greet,
      'prompts/get': ({ arguments: given }) => ({
        messages: [{ role: 'user', content: { type: 'text', text: JSON.stringify(given) } }],
      }),
      'resources/read': ({ uri }) => ({ contents: [{ uri: uri ?? '', text: 'A greeting' }] }),
    },
  })
}
