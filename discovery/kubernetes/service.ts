/**
 * A Service and the targets it becomes: one for each port that speaks MCP. The rules are agentgateway's, so that
 * Services labelled for it or for kgateway need no change (docs/kubernetes.md). Annotations are written by whoever may
 * write Services: nothing they hold reaches further than the Service itself.
 */
import { z } from 'zod'
import type { Target, TargetOptions } from '../../backends/index.js'
import { targetSchema } from '../../backends/index.js'
import type { ServiceReference } from '../backend-resource.js'
import type { Problem } from '../snapshot.js'
import type { KubernetesSettings } from './settings.js'

const portSchema = z.looseObject({
  name: z.string().optional(),
  port: z.number(),
  appProtocol: z.string().optional(),
})

/** What is read of a Service. */
export const serviceSchema = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string(),
    annotations: z.record(z.string(), z.string()).prefault({}),
  }),
  spec: z.looseObject({
    type: z.string().optional(),
    clusterIP: z.string().optional(),
    externalName: z.string().optional(),
    ports: z.array(portSchema).prefault([]),
  }),
})

export type Service = z.output<typeof serviceSchema>
type ServicePort = z.output<typeof portSchema>
type Protocol = 'StreamableHTTP' | 'SSE'

const PROTOCOLS: Readonly<Record<string, Protocol>> = {
  'agentgateway.dev/mcp': 'StreamableHTTP',
  'agentgateway.dev/mcp-sse': 'SSE',
  'kgateway.dev/mcp': 'StreamableHTTP',
  'kgateway.dev/mcp-sse': 'SSE',
}

const NAME = ['agentgateway.dev/mcp-target-name', 'mcp-junction.dev/name']
const PATH = ['agentgateway.dev/mcp-path', 'kgateway.dev/mcp-path', 'mcp-junction.dev/path']
const PREFIX = 'mcp-junction.dev/prefix'
/** For charts that cannot set `appProtocol`: the name or number of the port, and what it speaks. */
const PORT = 'mcp-junction.dev/port'
const PROTOCOL = 'mcp-junction.dev/protocol'

const KNOWN: ReadonlySet<string> = new Set([...NAME, ...PATH, PREFIX, PORT, PROTOCOL])
const OURS = /^(mcp-junction\.dev\/|(agentgateway|kgateway)\.dev\/mcp)/

/** Segments of what RFC 3986 lets stand in a path as it is, and none that leads upwards. */
const PATH_RULE = /^(\/(?!\.{1,2}(\/|$))[\w.~!$&'()*+,;=:@-]+)+\/?$|^\/$/
const MAX_PATH = 1024

export interface ServiceTargets {
  readonly targets: readonly Target[]
  readonly problems: readonly Problem[]
}

/** How a Service is called where somebody has to find it. */
export function serviceRef({ metadata }: Service): string {
  return `Service ${metadata.namespace}/${metadata.name}`
}

/** The targets of a selected Service. What is wrong with one port or annotation is reported, and costs no other. */
export function targetsOfService(
  service: Service,
  prefix: string | undefined,
  options: TargetOptions,
  settings: KubernetesSettings,
): ServiceTargets {
  const object = serviceRef(service)
  const problems: Problem[] = []
  const add = (message: string, isNotice = false): void => {
    problems.push({ object, message, isNotice })
  }
  reportOddities(service, add)
  const host = hostOf(service, settings)
  const speakers = speakersOf(service, add)
  if (speakers.length > 0 && host === undefined) {
    add('Services of type ExternalName are refused here (kubernetes.externalNames)')
    return { targets: [], problems }
  }
  if (speakers.length === 0 && problems.length === 0) {
    const what =
      service.spec.ports.length === 0 ? 'it has no ports' : 'no port says that it speaks MCP'
    add(`${what}: appProtocol is none of ${Object.keys(PROTOCOLS).join(', ')}`, true)
  }
  const { annotations } = service.metadata
  const targets = speakers.flatMap(({ port, protocol }): Target[] => {
    const made = targetAt({
      name: firstOf(annotations, NAME) ?? `${service.metadata.name}-${port.name ?? port.port}`,
      prefix: annotations[PREFIX] ?? prefix,
      host,
      port: port.port,
      path: firstOf(annotations, PATH),
      protocol,
    })
    if (typeof made !== 'string') return [{ ...made, ...options }]
    add(`port ${portText(port)}: ${made}`)
    return []
  })
  return { targets, problems }
}

/** The target of a Service that a resource names, or what is wrong with it. */
export function referredTarget(
  service: Service,
  name: string,
  { port, path, protocol }: ServiceReference,
  settings: KubernetesSettings,
): Target | string {
  const host = hostOf(service, settings)
  if (host === undefined) return 'Services of type ExternalName are refused here'
  if (!service.spec.ports.some((it) => it.port === port)) return `the Service has no port ${port}`
  return targetAt({ name, prefix: undefined, host, port, path, protocol })
}

interface Place {
  readonly name: string
  readonly prefix: string | undefined
  readonly host: string | undefined
  readonly port: number
  readonly path: string | undefined
  readonly protocol: Protocol
}

function targetAt({ name, prefix, host, port, path, protocol }: Place): Target | string {
  const at = path ?? (protocol === 'SSE' ? '/sse' : '/mcp')
  if (at.length > MAX_PATH || !PATH_RULE.test(at)) {
    return 'its path is refused: expected one such as /mcp, without "..", "?" or "//"'
  }
  const parsed = targetSchema.safeParse({
    name,
    prefix,
    static: { host, port, path: at, protocol },
  })
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const what = issue?.path.join('.') ?? ''
  const advice = what === 'name' ? `; the annotation ${NAME.join(' or ')} gives another` : ''
  return `its target's ${what} is refused: ${issue?.message ?? ''}${advice}`
}

/** Where a Service is reached; `undefined` where that is not allowed. */
function hostOf(
  { metadata: { name, namespace }, spec }: Service,
  { address, clusterDomain, externalNames }: KubernetesSettings,
): string | undefined {
  if (spec.type === 'ExternalName') return externalNames ? spec.externalName : undefined
  const { clusterIP } = spec
  const hasIp = clusterIP !== undefined && clusterIP !== '' && clusterIP !== 'None'
  // A headless Service has no address but its name, which stands for its pods.
  return address === 'clusterIP' && hasIp ? clusterIP : `${name}.${namespace}.svc.${clusterDomain}`
}

interface Speaker {
  readonly port: ServicePort
  readonly protocol: Protocol
}

function speakersOf(service: Service, add: (message: string) => void): Speaker[] {
  const { ports } = service.spec
  const wanted = service.metadata.annotations[PORT]
  const bySign = ports.flatMap((port): Speaker[] => {
    const protocol = ownValue(PROTOCOLS, port.appProtocol)
    return protocol === undefined ? [] : [{ port, protocol }]
  })
  if (wanted === undefined) return bySign
  const port = ports.find((it) => it.name === wanted || String(it.port) === wanted)
  const protocol = service.metadata.annotations[PROTOCOL] ?? 'StreamableHTTP'
  if (port === undefined) {
    add(`its annotation ${PORT} names no port of it`)
    return bySign
  }
  if (protocol !== 'StreamableHTTP' && protocol !== 'SSE') {
    add(`its annotation ${PROTOCOL} is refused: expected StreamableHTTP or SSE`)
    return bySign
  }
  return [...bySign.filter((it) => it.port !== port), { port, protocol }]
}

/** What looks like ours and means nothing: mostly a slip of the pen. */
function reportOddities(
  service: Service,
  add: (message: string, isNotice?: boolean) => void,
): void {
  for (const key of Object.keys(service.metadata.annotations)) {
    if (OURS.test(key) && !KNOWN.has(key)) add(`the annotation ${key} means nothing`, true)
  }
  for (const port of service.spec.ports) {
    const { appProtocol } = port
    if (appProtocol === undefined || ownValue(PROTOCOLS, appProtocol) !== undefined) continue
    if (!/^(agentgateway|kgateway|mcp-junction)\.dev\//.test(appProtocol)) continue
    add(
      `port ${portText(port)}: its appProtocol ${appProtocol} is none of ${Object.keys(PROTOCOLS).join(', ')}`,
    )
  }
}

function firstOf(
  annotations: Readonly<Record<string, string>>,
  keys: readonly string[],
): string | undefined {
  return keys.map((key) => annotations[key]).find((it) => it !== undefined)
}

function ownValue<T>(map: Readonly<Record<string, T>>, key: string | undefined): T | undefined {
  return key !== undefined && Object.hasOwn(map, key) ? map[key] : undefined
}

function portText({ name, port }: ServicePort): string {
  return name === undefined ? String(port) : `${name} (${port})`
}
