/**
 * Resources of other gateways that list MCP servers: kgateway's `Backend` of type MCP and agentgateway's
 * `AgentgatewayBackend`. They are read in files and in the cluster alike. What they ask for and this gateway does not
 * do is refused and never left out silently: a policy that is not applied would open what it should close.
 */
import { z } from 'zod'
import type { Target } from '../backends/index.js'
import { targetSchema } from '../backends/index.js'
import type { Selectors } from './selectors.js'
import { selectorFields } from './selectors.js'

/** The two kinds, by what the API calls them. */
export const RESOURCE_KINDS = [
  {
    apiVersion: 'gateway.kgateway.dev/v1alpha1',
    kind: 'Backend',
    path: '/apis/gateway.kgateway.dev/v1alpha1',
    plural: 'backends',
  },
  {
    apiVersion: 'agentgateway.dev/v1alpha1',
    kind: 'AgentgatewayBackend',
    path: '/apis/agentgateway.dev/v1alpha1',
    plural: 'agentgatewaybackends',
  },
] as const

export type ResourceKind = (typeof RESOURCE_KINDS)[number]

/** A Service named by a resource of the same namespace. */
export interface ServiceReference {
  readonly service: string
  readonly port: number
  readonly path: string | undefined
  readonly protocol: 'StreamableHTTP' | 'SSE'
}

/** One of a resource's targets, as it is written. */
export type ResourceTarget =
  | { readonly kind: 'fixed'; readonly name: string; readonly target: Target }
  | { readonly kind: 'reference'; readonly name: string; readonly reference: ServiceReference }
  | { readonly kind: 'selectors'; readonly name: string; readonly selectors: Selectors }
  /** It is refused, and its neighbours are not. */
  | { readonly kind: 'refused'; readonly name: string; readonly reason: string }

export interface BackendResource {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  /** `undefined` in files that do not say: the gateway's own. */
  readonly namespace: string | undefined
  /** Of the resource in the cluster; one in a file has neither. */
  readonly uid: string | undefined
  readonly generation: number | undefined
  readonly failureMode: 'open' | 'closed' | undefined
  /** `conditional` is agentgateway's: prefixes as soon as there is more than one target. */
  readonly prefixMode: 'always' | 'conditional' | 'never' | undefined
  readonly targets: readonly ResourceTarget[]
  /** Why all of it is refused. */
  readonly refusal: string | undefined
}

const k8sName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, 'expected a Kubernetes name')

const FAILURE_MODES = { FailOpen: 'open', FailClosed: 'closed' } as const
const PREFIX_MODES = { Always: 'always', Conditional: 'conditional', Never: 'never' } as const

const mcpSchema = z.looseObject({
  name: z.string().optional(),
  targets: z.array(z.unknown(), 'expected a list of targets').min(1, 'expected a list of targets'),
  failureMode: z.enum(['FailOpen', 'FailClosed']).optional(),
  prefixMode: z.enum(['Always', 'Conditional', 'Never']).optional(),
})

const headSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: k8sName,
    namespace: k8sName.optional(),
    uid: z.string().optional(),
    generation: z.int().optional(),
  }),
})

/** Of which kind a document is; `undefined` where it is none of these. */
export function resourceKindOf(apiVersion: unknown, kind: unknown): ResourceKind | undefined {
  return RESOURCE_KINDS.find((it) => it.apiVersion === apiVersion && it.kind === kind)
}

/** How faults of what is written are put into words. */
type Words = z.core.$ZodErrorMap

const OWN_WORDS: Words = () => undefined

/**
 * A resource as it is written, in a file or in the cluster; `undefined` where it is not about MCP. One that cannot be
 * used at all says why in `refusal`.
 * @throws ZodError where it has no name
 */
export function readBackendResource(
  written: unknown,
  words: Words = OWN_WORDS,
): BackendResource | undefined {
  const { apiVersion, kind, metadata, ...rest } = headSchema.parse(written, { error: words })
  const spec = isObject(rest['spec']) ? rest['spec'] : {}
  // kgateway's Backend is of many types; agentgateway's has a member for each.
  const isMcp = kind === 'Backend' ? spec['type'] === 'MCP' : spec['mcp'] !== undefined
  if (!isMcp) return undefined
  const base = {
    apiVersion,
    kind,
    name: metadata.name,
    namespace: metadata.namespace,
    uid: metadata.uid,
    generation: metadata.generation,
    failureMode: undefined,
    prefixMode: undefined,
    targets: [],
    refusal: undefined,
  }
  if (hasMembers(spec['policies'])) {
    return {
      ...base,
      refusal: 'spec.policies is not supported here; without them it would be open',
    }
  }
  const mcp = mcpSchema.safeParse(spec['mcp'], { error: words })
  if (!mcp.success) return { ...base, refusal: reasonOf(mcp.error, 'spec.mcp') }
  const { failureMode, prefixMode, targets } = mcp.data
  return {
    ...base,
    failureMode: failureMode && FAILURE_MODES[failureMode],
    prefixMode: prefixMode && PREFIX_MODES[prefixMode],
    targets: targets.map((target, index) => readTarget(target, index, words)),
  }
}

const portNumber = z.int().min(1).max(65535)

const referenceSchema = z.looseObject({
  backendRef: z.looseObject({
    name: k8sName,
    port: portNumber.optional(),
    kind: z.literal('Service', 'only Services can be referred to').optional(),
    group: z.enum(['', 'core'], 'only Services can be referred to').optional(),
    namespace: z.undefined('only Services of the own namespace can be referred to').optional(),
  }),
  port: portNumber.optional(),
  path: z.string().optional(),
  protocol: z.enum(['StreamableHTTP', 'SSE']).prefault('StreamableHTTP'),
})

const selectorsSchema = z.object(selectorFields)

function readTarget(written: unknown, index: number, words: Words): ResourceTarget {
  const given = isObject(written) ? written : {}
  const name =
    typeof given['name'] === 'string' ? given['name'].slice(0, 253) : `target ${index + 1}`
  const refused = (reason: string): ResourceTarget => ({ kind: 'refused', name, reason })
  const fixed = given['static']
  const selects = given['selectors'] !== undefined || given['selector'] !== undefined
  if ((fixed !== undefined) === selects) return refused('expected either "static" or "selector"')
  if (selects) {
    const parsed = selectorsSchema.safeParse(given, { error: words })
    if (!parsed.success) return refused(reasonOf(parsed.error, ''))
    const selectors = parsed.data.selectors ?? parsed.data.selector
    return selectors === undefined
      ? refused('expected a selector')
      : { kind: 'selectors', name, selectors }
  }
  if (!isObject(fixed)) return refused('expected a mapping at "static"')
  const { policies, backendRef, ...address } = fixed
  if (hasMembers(policies)) {
    return refused('static.policies is not supported here; without them it would be open')
  }
  if (backendRef !== undefined) {
    const parsed = referenceSchema.safeParse({ ...address, backendRef }, { error: words })
    if (!parsed.success) return refused(reasonOf(parsed.error, 'static'))
    const {
      backendRef: { name: service, port },
      path,
      protocol,
    } = parsed.data
    const at = parsed.data.port ?? port
    if (at === undefined) return refused('static.port is missing')
    return { kind: 'reference', name, reference: { service, port: at, path, protocol } }
  }
  const parsed = targetSchema.safeParse({ name: given['name'], static: address }, { error: words })
  if (!parsed.success) return refused(reasonOf(parsed.error, ''))
  return { kind: 'fixed', name, target: parsed.data }
}

/** Messages of the schemas never hold the value that they refuse. */
function reasonOf({ issues }: z.ZodError, base: string): string {
  const [issue] = issues
  const path = [base, ...(issue?.path ?? [])].filter((it) => it !== '').join('.')
  return `${path === '' ? '' : `${path}: `}${issue?.message ?? 'not understood'}`
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function hasMembers(value: unknown): boolean {
  return isObject(value) ? Object.keys(value).length > 0 : value !== undefined && value !== null
}
