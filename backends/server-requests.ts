/**
 * What a server may ask of a client: sampling, elicitation, roots. A server is told of exactly the capabilities that
 * the caller declared and that this gateway relays, and may use no others (2025-11-25 basic/lifecycle).
 */
import type { Caller } from './call.js'
import type { Target } from './target.js'
import type { RequestMessage } from './wire/json-rpc.js'
import { ErrorCode, JsonRpcError } from './wire/json-rpc.js'
import { TASKS_EXTENSION } from './wire/modern.js'
import type { JsonObject } from './wire/raw-json.js'
import { isJsonObject } from './wire/raw-json.js'

/** What is declared to a server of the 2025 era on behalf of a caller. */
export function relayedCapabilities({ era, capabilities }: Caller, target: Target): JsonObject {
  // A modern caller is answered with a question and comes back later; the call has to be kept until then.
  return era === 'legacy' || target.parkCalls ? answerable(capabilities, target) : {}
}

/** What is declared to a server of 2026-07-28 with each call of a caller. */
export function modernCapabilities({ era, capabilities }: Caller, target: Target): JsonObject {
  const { roots, ...others } = answerable(capabilities, target)
  const declared = isJsonObject(capabilities['extensions']) ? capabilities['extensions'] : {}
  const extensions = Object.fromEntries(
    Object.entries(declared).filter(([name]) => name === UI_EXTENSION || era === 'modern'),
  )
  return {
    ...others,
    ...(roots === undefined ? {} : { roots: {} }),
    ...(Object.keys(extensions).length > 0 ? { extensions } : {}),
  }
}

/** Whether a caller knows the tasks of 2026-07-28's extension. */
export function extendsTasks({ era, capabilities }: Caller): boolean {
  const { extensions } = capabilities
  return era === 'modern' && isJsonObject(extensions) && extensions[TASKS_EXTENSION] !== undefined
}

const UI_EXTENSION = 'io.modelcontextprotocol/ui'

function answerable({ sampling, elicitation, roots }: JsonObject, target: Target): JsonObject {
  return {
    ...(isJsonObject(sampling) ? { sampling } : {}),
    ...(isJsonObject(elicitation) ? { elicitation } : {}),
    // Roots name folders of the client's machine: a server learns of them only where it was chosen to.
    ...(target.roots && isJsonObject(roots) ? { roots } : {}),
  }
}

/** Why a request of a server's cannot go to a client that declared this; `undefined` where it can. */
export function refusalOf(
  { method, params }: RequestMessage,
  declared: JsonObject,
): JsonRpcError | undefined {
  const capability = Object.hasOwn(CAPABILITY_OF, method) ? CAPABILITY_OF[method] : undefined
  const settings = capability === undefined ? undefined : declared[capability]
  if (!isJsonObject(settings)) {
    return new JsonRpcError(
      ErrorCode.MethodNotFound,
      `the client declared no capability for ${method}`,
    )
  }
  const { mode = 'form', tools, toolChoice } = params.value
  if (method === 'elicitation/create' && !allowsMode(settings, mode)) {
    return new JsonRpcError(ErrorCode.InvalidParams, 'the client declared no such elicitation mode')
  }
  const wantsTools = tools !== undefined || toolChoice !== undefined
  if (method === 'sampling/createMessage' && wantsTools && settings['tools'] === undefined) {
    return new JsonRpcError(ErrorCode.InvalidParams, 'the client declared no tools for sampling')
  }
  return undefined
}

const CAPABILITY_OF: Readonly<Record<string, string>> = {
  'sampling/createMessage': 'sampling',
  'elicitation/create': 'elicitation',
  'roots/list': 'roots',
}

/** An empty object means forms alone, as it did before there were modes. */
function allowsMode(elicitation: JsonObject, mode: unknown): boolean {
  if (typeof mode !== 'string') return false
  const isPlain = elicitation['form'] === undefined && elicitation['url'] === undefined
  return isPlain ? mode === 'form' : elicitation[mode] !== undefined
}
