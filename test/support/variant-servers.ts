/** Servers that say who they are, for targets with variants. */
import type { JsonObject } from '../../backends/index.js'
import { ModernError, startModern } from './modern-upstream.js'
import type { RawResponse } from './raw-client.js'
import { startUpstream } from './upstream-server.js'

export interface VariantServer extends AsyncDisposable {
  readonly url: string
  /** Its calls end so from now on. */
  behave(how: 'well' | 'tool-error' | 'internal-error'): void
  /** Calls so far. */
  readonly calls: number
}

interface Options {
  /** Tools besides `who`. */
  readonly tools?: readonly string[]
  /** What each call waits for. */
  readonly gate?: () => Promise<void>
}

/** With a tool `who` that gives its name, in words of either era. */
export async function startVariant(
  era: 'legacy' | 'modern',
  name: string,
  { tools = [], gate }: Options = {},
): Promise<VariantServer> {
  let how = 'well'
  let calls = 0
  const answer = async (): Promise<JsonObject> => {
    calls++
    await gate?.()
    if (how === 'internal-error') throw Object.assign(new ModernError(-32603), { code: -32603 })
    return { content: [{ type: 'text', text: name }], ...(how === 'well' ? {} : { isError: true }) }
  }
  const listed = ['who', ...tools].map((tool) => ({
    name: tool,
    description: `of ${name}`,
    inputSchema: { type: 'object' },
  }))
  const handlers = { 'tools/call': answer }
  const server = await (era === 'legacy'
    ? startUpstream({ tools: listed, handlers })
    : startModern({ tools: listed, handlers }))
  return {
    url: server.url,
    behave: (it) => (how = it),
    get calls() {
      return calls
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

/** Who answered a call of `who`; what went wrong, where something did. */
export function answererIn({ json }: RawResponse): string {
  const { result, error } = json as { result?: JsonObject; error?: JsonObject }
  const [content] = (result?.['content'] ?? []) as { text: string }[]
  return result?.['isError'] === true ? 'error' : (content?.text ?? JSON.stringify(error))
}

/** The names of the tools in an answer to `tools/list`. */
export function toolsIn({ json }: RawResponse): string[] {
  const { tools } = json['result'] as { tools: { name: string }[] }
  return tools.map((it) => it.name)
}
