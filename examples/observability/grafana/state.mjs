// Rows about servers, and about the gateway itself: what is connected, refused, configured, and how the process is.
import { lines, states, table } from './panels.mjs'
import { cells, CLIENT, q, quantile, rate, REQUESTS, SERVER, TARGET, UPSTREAM } from './queries.mjs'

/** A server, be it the only one of its target or one of several. */
const SERVED = 'mcp_junction_target, mcp_junction_variant'
const SERVED_AS = '{{mcp_junction_target}} {{mcp_junction_variant}}'

const UP_OR_DOWN = { 0: ['down', 'red'], 1: ['up', 'green'] }

export const state = {
  Targets: [
    states(
      'Targets',
      'Whether each server can be used.',
      q(`mcp_junction_target_up{${TARGET}}`, '{{target}} {{variant}}'),
      UP_OR_DOWN,
    ),
    states(
      'Circuits',
      'Servers that failed again and again are left alone; then the gateway asks whether they are back.',
      q(`mcp_junction_circuit_state{${TARGET}}`, '{{target}} {{variant}}'),
      { 0: ['called', 'green'], 1: ['asked', 'yellow'], 2: ['left alone', 'red'] },
    ),
    table(
      'What they speak',
      'Transport, era and protocol version of each server.',
      [cells(`mcp_junction_target_info{${TARGET}}`)],
      { target: 'Target', transport: 'Transport', era: 'Era', version: 'Version' },
      { width: 8 },
    ),
    lines(
      'Time of servers, p95',
      'What each server takes for a request, as the gateway sees it.',
      's',
      [q(quantile(0.95, CLIENT, UPSTREAM, SERVED), SERVED_AS)],
    ),
    lines(
      'Errors of servers',
      '`tool_error`, codes of JSON-RPC, and what kept them from answering: `timeout`, `unreachable` and others.',
      'reqps',
      [
        q(
          rate(`${CLIENT}_count`, `${UPSTREAM}, error_type!=""`, `${SERVED}, error_type`),
          `${SERVED_AS} {{error_type}}`,
        ),
      ],
    ),
    states(
      'Variants',
      'Of targets with several servers: one that failed too often gets no callers until it is configured anew or restored.',
      q(`mcp_junction_variant_given_up{${TARGET}}`, '{{target}} {{variant}}'),
      { 0: ['serves', 'green'], 1: ['given up', 'red'] },
    ),
    lines('Retries', 'Requests that were sent again.', 'reqps', [
      q(rate('mcp_junction_retries_total', TARGET, 'target'), '{{target}}'),
    ]),
    lines(
      'Catalog',
      'Items in the lists of each server.',
      'none',
      [q(`mcp_junction_catalog_items{${TARGET}}`, '{{target}} {{kind}}')],
      { width: 12 },
    ),
    lines(
      'Lists read',
      'Why, and how it went. `failed`: the last good list is served.',
      'reqps',
      [
        q(
          rate('mcp_junction_catalog_refreshes_total', TARGET, 'target, reason, outcome'),
          '{{target}} {{reason}} {{outcome}}',
        ),
      ],
      { width: 12 },
    ),
  ],
  'Sessions and streams': [
    lines(
      'Sessions',
      'Sessions in memory; of 2026-07-28 callers that servers have sessions for.',
      'none',
      [q('sum by (era) (mcp_junction_sessions)', '{{era}}')],
      { width: 6 },
    ),
    lines(
      'Streams',
      'Open to clients for what belongs to no call.',
      'none',
      [q('sum(mcp_junction_streams)', 'streams')],
      { width: 6 },
    ),
    lines(
      'Age of sessions that ended',
      'Median and p95.',
      's',
      [0.5, 0.95].map((it) =>
        q(quantile(it, 'mcp_server_session_duration_seconds', '', '', '5m'), `p${it * 100}`),
      ),
      { width: 6 },
    ),
    lines(
      'Protocol versions',
      'Requests by the revision that clients speak.',
      'reqps',
      [q(rate(`${SERVER}_count`, REQUESTS, 'mcp_protocol_version'), '{{mcp_protocol_version}}')],
      { width: 6 },
    ),
  ],
  'Denials, limits, configuration': [
    lines('Denied', 'By rule: who was denied what.', 'reqps', [
      q(
        rate(
          'mcp_junction_denied_total',
          `${TARGET}, principal=~"$principal"`,
          'principal, target, name',
        ),
        '{{principal}}: {{target}} {{name}}',
      ),
    ]),
    lines(
      'Limited',
      'Calls beyond a rate or a number of calls at once, or that could not be counted.',
      'reqps',
      [q(rate('mcp_junction_limited_total', TARGET, 'target, reason'), '{{target}} {{reason}}')],
    ),
    lines(
      'Too much to do',
      'Requests that the gateway refused unread (503), by what there was too much of (`listen.overload`).',
      'reqps',
      [q(rate('mcp_junction_overloaded_total', '', 'instance, reason'), '{{instance}} {{reason}}')],
    ),
    lines(
      'Given to peers',
      'What a process gave to another of the same `sessions.keys`, since only that one can serve it, and what it could not give.',
      'reqps',
      [
        q(
          rate('mcp_junction_peer_requests_total', '', 'instance, outcome'),
          '{{instance}} {{outcome}}',
        ),
      ],
    ),
    lines(
      'Unapproved tools',
      'Tools of guarded servers that are new or changed since `mcp-junction lock`.',
      'none',
      [q(`mcp_junction_unapproved_tools{${TARGET}}`, '{{target}}')],
    ),
    states(
      'Store of limits',
      'Where limits are shared (`store`): whether it can be used.',
      q('mcp_junction_limit_store_up', '{{instance}}'),
      UP_OR_DOWN,
      { width: 6 },
    ),
    lines(
      'Calls that were not counted',
      'Let in or refused because the store of limits did not count them.',
      'reqps',
      [q(rate('mcp_junction_limit_store_errors_total', '', 'reason'), '{{reason}}')],
      { width: 6 },
    ),
    states(
      'Sources',
      'In Kubernetes: whether what is watched is current.',
      q('mcp_junction_source_up', '{{source}}'),
      UP_OR_DOWN,
      { width: 6 },
    ),
    lines(
      'Reloads and problems',
      'Configurations applied and refused, and things discovered that are not served.',
      'none',
      [
        q(
          'sum by (outcome) (increase(mcp_junction_config_reloads_total[$__rate_interval]))',
          '{{outcome}}',
        ),
        q('sum(mcp_junction_discovery_problems)', 'problems'),
      ],
      { width: 6 },
    ),
  ],
  'Process and bytes': [
    lines(
      'Event loop delay',
      'How late timers are. Above 100 ms the gateway itself is slow: it has too little CPU, or one request has too much of it.',
      's',
      ['p50', 'p99', 'max'].map((it) =>
        q(`max by (instance) (nodejs_eventloop_delay_${it}_seconds)`, `{{instance}} ${it}`),
      ),
    ),
    lines('Memory', 'Of the process, and of that objects of JavaScript.', 'bytes', [
      q('process_memory_usage_bytes', '{{instance}} process'),
      q('v8js_memory_heap_used_bytes', '{{instance}} heap'),
    ]),
    lines('Bytes', 'JSON of requests (in) and of their answers (out).', 'Bps', [
      q(rate('mcp_junction_transferred_bytes_total', '', 'direction'), '{{direction}}'),
    ]),
  ],
}
