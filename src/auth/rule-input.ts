/** What rules see of a request, and of what it is about. */
import type { IncomingMessage } from 'node:http'
import type { JsonObject } from '../../backends/index.js'
import type { PermitItem } from '../../federation/index.js'
import type { Principal } from './principal.js'
import type { RuleInput } from './rules.js'

/** Who asks, and how. */
export interface Asker {
  readonly principal: Principal
  readonly request: IncomingMessage
  readonly client: { readonly name: string; readonly version: string }
}

const NO_ITEM = { name: '', target: '', exposedName: '' }

/** What rules see of a caller, before it is known what is asked for. */
export function inputOf({ principal, request, client }: Asker, address: string): RuleInput {
  const { kind, name, claims } = principal
  const isToken = kind === 'jwt'
  const headers = Object.entries(request.headers).flatMap(([key, value]) =>
    // What is shown to get in is nobody's to look at.
    key === 'authorization' || key === 'x-api-key' || key === 'cookie' || value === undefined
      ? []
      : [[key, String(value)] as const],
  )
  const issuer = isToken ? claims['iss'] : ''
  return {
    mcp: {
      method: '',
      phase: 'list',
      client,
      attributes: {},
      tool: { ...NO_ITEM, arguments: {}, annotations: {} },
      prompt: { ...NO_ITEM, arguments: {} },
      resource: NO_ITEM,
    },
    principal: {
      kind,
      name,
      subject: isToken ? name : '',
      issuer: typeof issuer === 'string' ? issuer : '',
    },
    jwt: isToken ? claims : {},
    apiKey: kind === 'apiKey' ? { ...claims, name } : {},
    certificate: kind === 'certificate' ? claims : {},
    request: { headers: Object.fromEntries(headers) },
    source: { address },
  }
}

/** The same of what stands in a list. */
export function inList(base: RuleInput, item: PermitItem): RuleInput {
  return withItem(base, item, `${item.kind}s/list`, 'list', {}, {})
}

/** The same of what something is used for. */
export function withItem(
  base: RuleInput,
  { kind, name, exposedName, target, annotations }: PermitItem,
  method: string,
  phase: 'list' | 'call',
  given: JsonObject,
  attributes: JsonObject,
): RuleInput {
  const item = { name, exposedName, target }
  const described =
    kind === 'tool'
      ? { tool: { ...item, arguments: given, annotations } }
      : kind === 'prompt'
        ? { prompt: { ...item, arguments: given } }
        : { resource: item }
  return { ...base, mcp: { ...base.mcp, method, phase, attributes, ...described } }
}
