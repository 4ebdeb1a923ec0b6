/** Services for the API server of the tests, and how a gateway shows what came of them. */
import type { JsonObject } from '../../backends/index.js'
import type { Gateway } from '../../src/gateway.js'
import type { RawSession } from './raw-client.js'

export interface ServiceOptions {
  readonly labels?: Record<string, string>
  readonly annotations?: Record<string, string>
  readonly ports?: JsonObject[]
  readonly spec?: JsonObject
}

export const MCP = 'kgateway.dev/mcp'

/** A Service that can be reached: there is nothing behind others in an API server without nodes. */
export function localService(name: string, url: string, options: ServiceOptions = {}): JsonObject {
  const ports = options.ports ?? [{ name: 'mcp', port: portOf(url), appProtocol: MCP }]
  return service(name, {
    ...options,
    spec: { type: 'ExternalName', externalName: 'localhost', ports },
  })
}

export function service(
  name: string,
  { labels, annotations, ports, spec }: ServiceOptions,
): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, labels: labels ?? { app: 'mcp' }, annotations: annotations ?? {} },
    spec: spec ?? { ports: ports ?? [{ name: 'mcp', port: 80, appProtocol: MCP }] },
  }
}

export const servicesOf = (namespace: string, name?: string): string =>
  `/api/v1/namespaces/${namespace}/services${name === undefined ? '' : `/${name}`}`

export const portOf = (url: string): number => Number(new URL(url).port)

/** The names of the targets that a gateway has now. */
export const targetNames = (gateway: Pick<Gateway, 'readiness'>): string[] =>
  gateway
    .readiness()
    .targets.map((it) => it.target)
    .toSorted()

export async function toolNames(session: RawSession): Promise<string[]> {
  const { json } = await session.request('tools/list')
  const { tools } = json['result'] as { tools: { name: string }[] }
  return tools.map((it) => it.name)
}
