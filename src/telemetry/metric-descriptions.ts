/** All metrics there are: instruments are made from this table, and so is the page about them. */

export interface MetricDescription {
  /** As OpenTelemetry has it; Prometheus adds unit and kind. */
  readonly name: string
  readonly kind: 'histogram' | 'counter' | 'gauge'
  readonly unit: '' | 's' | 'By'
  readonly description: string
  readonly labels: readonly string[]
}

const OF_OPERATIONS = [
  'mcp.method.name',
  'gen_ai.tool.name',
  'gen_ai.prompt.name',
  'gen_ai.operation.name',
  'error.type',
  'rpc.response.status_code',
  'mcp.protocol.version',
  'network.transport',
  'network.protocol.name',
  'mcp_junction.target',
]

const histogram = (name: string, description: string, labels: readonly string[]) =>
  ({ name, kind: 'histogram', unit: 's', description, labels }) as const
const counter = (
  name: string,
  description: string,
  labels: readonly string[],
  unit: '' | 'By' = '',
) => ({ name, kind: 'counter', unit, description, labels }) as const
const gauge = (
  name: string,
  description: string,
  labels: readonly string[] = [],
  unit: '' | 's' | 'By' = '',
) => ({ name, kind: 'gauge', unit, description, labels }) as const

export const METRICS = {
  serverDuration: histogram(
    'mcp.server.operation.duration',
    'Time from a request of a client to its answer, errors and limits included.',
    [...OF_OPERATIONS, 'mcp_junction.principal', 'attribute_<name>'],
  ),
  clientDuration: histogram(
    'mcp.client.operation.duration',
    'Time that a server took for a request, sessions opened for it and rounds of questions included.',
    [...OF_OPERATIONS, 'mcp_junction.variant', 'server.address', 'server.port'],
  ),
  gatewayDuration: histogram(
    'mcp_junction_gateway_duration',
    'Of the time from request to answer, that in which no server had the request: the gateway’s own share.',
    ['mcp.method.name', 'gen_ai.tool.name', 'gen_ai.prompt.name', 'mcp_junction.target'],
  ),
  sessionDuration: histogram(
    'mcp.server.session.duration',
    'Age of sessions that were ended or let go of as idle.',
    ['mcp.protocol.version', 'network.transport', 'network.protocol.name'],
  ),
  clientOperations: counter(
    'mcp_junction_client_operations',
    'Requests by what clients call themselves.',
    ['client', 'mcp.method.name', 'gen_ai.tool.name', 'gen_ai.prompt.name', 'outcome'],
  ),
  transferred: counter(
    'mcp_junction_transferred',
    'JSON of requests (`in`) and of their answers (`out`).',
    ['direction'],
    'By',
  ),
  denied: counter(
    'mcp_junction_denied',
    'Uses of tools, prompts and resources that rules denied.',
    ['kind', 'name', 'target', 'principal', 'reason', 'attribute_<name>'],
  ),
  circuitState: gauge(
    'mcp_junction_circuit_state',
    'Whether a target is called: 0 it is, 1 the gateway asks whether it is back, 2 it is left alone.',
    ['target', 'variant'],
  ),
  retries: counter('mcp_junction_retries', 'Requests that a target was sent again.', [
    'target',
    'variant',
  ]),
  limited: counter('mcp_junction_limited', 'Calls that were beyond their limits.', [
    'method',
    'target',
    'reason',
  ]),
  overloaded: counter(
    'mcp_junction_overloaded',
    'Requests refused as the gateway had too much to do, by what there was too much of.',
    ['reason'],
  ),
  reloads: counter(
    'mcp_junction_config_reloads',
    'Configurations applied or refused since the start.',
    ['outcome'],
  ),
  configCurrent: gauge(
    'mcp_junction_config_current',
    'Whether what runs is the configuration as it was last written; 0 while a change is refused.',
  ),
  refreshes: counter('mcp_junction_catalog_refreshes', 'Lists of a target read, and why.', [
    'target',
    'variant',
    'reason',
    'outcome',
  ]),
  given: counter(
    'mcp_junction_peer_requests',
    'What this process gave to another that shares its keys, since only that one can serve it; by outcome (`answered`, `unreachable`: it was served here, as far as that goes).',
    ['outcome'],
  ),
  uncounted: counter(
    'mcp_junction_limit_store_errors',
    'Calls that were let in or refused because the store of limits did not count them.',
    ['reason'],
  ),
  storeUp: gauge('mcp_junction_limit_store_up', 'Whether the store of limits can be used now.'),
  targetUp: gauge('mcp_junction_target_up', 'Whether a target can be used now.', [
    'target',
    'variant',
  ]),
  targetInfo: gauge('mcp_junction_target_info', 'What a target speaks; always 1.', [
    'target',
    'variant',
    'transport',
    'era',
    'version',
  ]),
  catalogItems: gauge('mcp_junction_catalog_items', 'Items in the list of a target.', [
    'target',
    'variant',
    'kind',
  ]),
  unapprovedTools: gauge(
    'mcp_junction_unapproved_tools',
    'Tools with definitions that nobody approved, of a target with a guard.',
    ['target', 'variant'],
  ),
  variantGivenUp: gauge(
    'mcp_junction_variant_given_up',
    'Whether a variant failed too often, so that its callers were returned to the first.',
    ['target', 'variant'],
  ),
  sourceUp: gauge('mcp_junction_source_up', 'Whether what is watched is current.', ['source']),
  problems: gauge(
    'mcp_junction_discovery_problems',
    'Things that were discovered and are not served for what is wrong with them.',
  ),
  sessions: gauge(
    'mcp_junction_sessions',
    'Sessions in memory; of 2026-07-28, which has none, callers that servers have sessions for.',
    ['era'],
  ),
  streams: gauge('mcp_junction_streams', 'Streams open to clients for what belongs to no call.'),
  eventLoopP50: gauge(
    'nodejs.eventloop.delay.p50',
    'How late timers are, in the median of the last ten seconds or more.',
    [],
    's',
  ),
  eventLoopP99: gauge('nodejs.eventloop.delay.p99', 'The same, of the 99th percentile.', [], 's'),
  eventLoopMax: gauge('nodejs.eventloop.delay.max', 'The same, at its worst.', [], 's'),
  memory: gauge('process.memory.usage', 'Memory of the process (resident set).', [], 'By'),
  heap: gauge('v8js.memory.heap.used', 'Of that, objects of JavaScript.', [], 'By'),
} satisfies Record<string, MetricDescription>

/** The name that Prometheus knows a metric by. */
export function prometheusName({ name, kind, unit }: MetricDescription): string {
  const total = kind === 'counter' ? '_total' : ''
  return `${name.replaceAll('.', '_')}${unitSuffix(unit)}${total}`
}

export function unitSuffix(unit: string): string {
  return unit === 's' ? '_seconds' : unit === 'By' ? '_bytes' : ''
}

/** What labels mean, where that is not what their names say. */
export const LABELS: Readonly<Record<string, string>> = {
  'mcp.method.name': 'The method; `_other` for methods that MCP does not have.',
  'gen_ai.tool.name':
    'The exposed name of a tool, towards servers its own; `_other` for names that are in no catalog.',
  'gen_ai.prompt.name': 'The same of a prompt.',
  'gen_ai.operation.name': '`execute_tool` for `tools/call`.',
  'error.type':
    'Only where something went wrong: `tool_error`, the code of a JSON-RPC error, towards servers also `timeout`, `unreachable`, `protocol`, `credentials`, `cancelled`, `session_lost`.',
  'rpc.response.status_code': 'The code of a JSON-RPC error.',
  'mcp_junction.target':
    'The target that owns what was asked for; absent where that is none, or many.',
  'mcp_junction.variant': 'Of a target with variants, the one that was asked.',
  variant: 'Of a target with variants, which of them; absent for others.',
  'mcp_junction.principal':
    'Who asked; `_other` beyond `telemetry.metrics.principals` of them. Absent where that is 0.',
  client: 'What a client calls itself; `_other` beyond a hundred names.',
  principal: 'As `mcp_junction_principal`.',
  'attribute_<name>': 'Attributes with `metric: true`; `_other` beyond a hundred values of each.',
}
