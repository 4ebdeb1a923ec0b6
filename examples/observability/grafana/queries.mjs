// What panels ask Prometheus, and the variables of the dashboard in it.

/** What the variables choose. A label that a series does not have is '', which `.*`, that is "All", fits as well. */
export const OWN =
  'mcp_junction_target=~"$target", mcp_method_name=~"$method", gen_ai_tool_name=~"$tool"'
export const REQUESTS = `${OWN}, mcp_junction_principal=~"$principal"`
/** Servers know tools by names of their own. */
export const UPSTREAM = 'mcp_junction_target=~"$target", mcp_method_name=~"$method"'
export const AGENTS = 'mcp_method_name=~"$method", gen_ai_tool_name=~"$tool"'
export const TARGET = 'target=~"$target"'

export const SERVER = 'mcp_server_operation_duration_seconds'
export const CLIENT = 'mcp_client_operation_duration_seconds'
export const GATEWAY = 'mcp_junction_gateway_duration_seconds'
export const BY_CLIENT = 'mcp_junction_client_operations_total'

export const rate = (metric, filter, by, window = '$__rate_interval') =>
  `sum${by ? ` by (${by})` : ''} (rate(${metric}{${filter}}[${window}]))`
export const quantile = (q, metric, filter, by, window) =>
  `histogram_quantile(${q}, ${rate(`${metric}_bucket`, filter, by ? `le, ${by}` : 'le', window)})`
export const mean = (metric, filter, by, window) =>
  `${rate(`${metric}_sum`, filter, by, window)} / ${rate(`${metric}_count`, filter, by, window)}`
/** Errors, those of tools (`isError`) included; 0 where there are none. */
export const failing = (filter, by, window) => {
  const all = rate(`${SERVER}_count`, filter, by, window)
  return `(${rate(`${SERVER}_count`, `${filter}, error_type!=""`, by, window)} or ${all} * 0) / ${all}`
}

/** A query and the name of what it gives. */
export const q = (expr, legendFormat = '', more = {}) => ({ expr, legendFormat, ...more })

/** For tables: one value of the chosen time for each series. */
export const cells = (expr) => q(expr, '', { instant: true, range: false, format: 'table' })
