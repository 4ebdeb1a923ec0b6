/** What spans say of a request: the semantic conventions for MCP, and under our own prefix what only a gateway knows. */
import type { Attributes } from '@opentelemetry/api'
import type { RequestId, Target } from '../../backends/index.js'
import type { Operation } from './operations.js'

export function serverAttributes(operation: Operation, id: RequestId): Attributes {
  const { kind, session, upstreamMs } = operation
  const { method, name, protocolVersion, errorType, address, client, target } = kind
  const attributes: Attributes = {
    'mcp.method.name': method,
    'mcp.protocol.version': protocolVersion,
    'jsonrpc.request.id': String(id).slice(0, 64),
    'network.transport': 'tcp',
    'network.protocol.name': 'http',
    'client.address': address,
    'mcp_junction.outcome': kind.outcome,
    'mcp_junction.principal': kind.principal.name,
    'mcp_junction.client.name': client.name,
    'mcp_junction.client.version': client.version,
    'mcp_junction.upstream_ms': upstreamMs,
  }
  if (session !== '') attributes['mcp.session.id'] = session
  if (target !== '') attributes['mcp_junction.target'] = target
  if (method === 'tools/call') attributes['gen_ai.operation.name'] = 'execute_tool'
  if (name !== '') attributes[nameAttribute(method)] = name
  if (errorType !== '') attributes['error.type'] = errorType
  if (isCode(errorType)) attributes['rpc.response.status_code'] = errorType
  return attributes
}

export function upstreamAttributes(
  target: Target,
  protocolVersion: string,
  method: string,
  name: string,
): Attributes {
  return {
    'mcp.method.name': method,
    'mcp.protocol.version': protocolVersion,
    'mcp_junction.target': target.name,
    ...(target.variant === undefined ? {} : { 'mcp_junction.variant': target.variant }),
    ...(method === 'tools/call' ? { 'gen_ai.operation.name': 'execute_tool' } : {}),
    ...(name === '' ? {} : { [nameAttribute(method)]: name }),
    ...networkOf(target),
  }
}

/** Where a server is, without what may be secret in its URL. */
export function networkOf({ endpoint }: Target): Record<string, string> {
  if (endpoint.kind === 'stdio') return { 'network.transport': 'pipe' }
  const { hostname, port, protocol } = new URL(endpoint.url)
  return {
    'network.transport': 'tcp',
    'network.protocol.name': 'http',
    'server.address': hostname,
    'server.port': port === '' ? (protocol === 'https:' ? '443' : '80') : port,
  }
}

/** Whether an error is one of JSON-RPC. */
export function isCode(errorType: string): boolean {
  return /^-?\d+$/.test(errorType)
}

function nameAttribute(method: string): string {
  if (method === 'tools/call') return 'gen_ai.tool.name'
  return method.startsWith('resources/') ? 'mcp.resource.uri' : 'gen_ai.prompt.name'
}
