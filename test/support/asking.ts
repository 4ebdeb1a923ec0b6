/** Servers that ask, tell and wait in the course of a call, and what clients read of it. */
import { z } from 'zod'
import type { JsonObject } from '../../backends/index.js'
import type { Stream } from './raw-client.js'
import type { Handler, Upstream } from './upstream-server.js'
import { echo, startEcho } from './upstream-server.js'

/** Capabilities of a client that can be asked. */
export const ELICITS = { elicitation: { form: {} } }
/** What it answers. */
export const ACCEPT = { action: 'accept', content: {} }
export const DOC = { uri: 'demo://doc' }
export const UPDATED = 'notifications/resources/updated'

const ANY = z.record(z.string(), z.unknown())
export const requestedSchema = { type: 'object', properties: {} } as const

/** Asks the client, with the call's arguments, and answers with both. */
export const asking: Handler = async ({ arguments: given }, { sendRequest }) => {
  const params = { message: JSON.stringify(given ?? null), requestedSchema }
  const onprogress = () => undefined
  const answer = await sendRequest({ method: 'elicitation/create', params }, ANY, { onprogress })
  return { content: [{ type: 'text', text: JSON.stringify({ given, answer }) }] }
}

/** The id of the question that came on a call's stream. */
export function question(stream: Stream): string {
  return String(stream.messages.find((it) => it['method'] === 'elicitation/create')?.['id'])
}

/** A resource that can be followed. */
export function withDoc(capabilities: JsonObject = {}): Promise<Upstream> {
  return startEcho({
    resources: [{ ...DOC, name: 'doc' }],
    capabilities: { resources: { subscribe: true }, ...capabilities },
    handlers: {
      'tools/call': echo,
      'resources/subscribe': () => ({}),
      'resources/unsubscribe': () => ({}),
    },
  })
}
