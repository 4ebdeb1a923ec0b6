// The first row: how much, how wrong, how slow, and because of whom.
import { lines, panel, STACKED, stat, steps } from './panels.mjs'
import { GATEWAY, mean, OWN, q, quantile, rate, REQUESTS, SERVER, TARGET } from './queries.mjs'
import { failing } from './queries.mjs'

const READ_ME = `**Which agent called which tool?** *Agents*: the table, by client and tool. Choose the tool above.
**Slow because of the gateway or of the server?** *Where the time goes*: what is not the gateway's was the server's. By tool: the table below.
**One call?** Its trace, by the \`traceId\` of the access log or of the page at the admin listener.`

export const overview = {
  Overview: [
    stat(
      'Requests',
      'Requests of clients that were answered.',
      'reqps',
      q(rate(`${SERVER}_count`, REQUESTS)),
    ),
    stat(
      'Errors',
      'Share of answers that were errors: of JSON-RPC, and of tools (`isError`).',
      'percentunit',
      q(failing(REQUESTS)),
      { defaults: { max: 1, thresholds: steps(0.02, 0.1) } },
    ),
    stat(
      'Latency, p95',
      'From a request to its answer, servers included.',
      's',
      q(quantile(0.95, SERVER, REQUESTS)),
      { defaults: { thresholds: steps(1, 5) } },
    ),
    stat(
      'Gateway’s share, p95',
      'Of that, what no server had: authentication, rules, limits, routing. For all principals.',
      's',
      q(quantile(0.95, GATEWAY, OWN)),
      { defaults: { thresholds: steps(0.02, 0.1) } },
    ),
    stat(
      'Targets down',
      'Servers that cannot be used now.',
      'none',
      q(`count(mcp_junction_target_up{${TARGET}}) - sum(mcp_junction_target_up{${TARGET}})`),
      { defaults: { thresholds: steps(1, 2) } },
    ),
    stat(
      'Configuration',
      'Whether what runs is what was last written.',
      'none',
      q('min(mcp_junction_config_current)'),
      {
        options: {
          colorMode: 'value',
          graphMode: 'none',
          reduceOptions: { calcs: ['lastNotNull'] },
        },
        defaults: {
          mappings: [
            {
              type: 'value',
              options: {
                0: { text: 'refused', color: 'red' },
                1: { text: 'current', color: 'green' },
              },
            },
          ],
        },
      },
    ),
    {
      type: 'text',
      title: 'In under a minute',
      description: 'How to answer the questions that bring people here.',
      options: { mode: 'markdown', content: READ_ME },
      width: 24,
      height: 4,
    },
    lines(
      'Requests by method',
      'How much is asked, of what kind.',
      'reqps',
      [q(rate(`${SERVER}_count`, REQUESTS, 'mcp_method_name'), '{{mcp_method_name}}')],
      STACKED,
    ),
    lines(
      'Errors by type',
      '`tool_error` is a result with `isError`; numbers are codes of JSON-RPC. What rules deny looks like an unknown name (-32602).',
      'reqps',
      [q(rate(`${SERVER}_count`, `${REQUESTS}, error_type!=""`, 'error_type'), '{{error_type}}')],
      STACKED,
    ),
    lines(
      'Latency',
      'From a request to its answer, servers included.',
      's',
      [0.5, 0.95, 0.99].map((it) => q(quantile(it, SERVER, REQUESTS), `p${it * 100}`)),
    ),
    lines(
      'Where the time goes',
      'The mean request: the gateway’s own share, and what servers had it for. Their sum is the mean latency.',
      's',
      [
        q(mean(GATEWAY, OWN), 'gateway'),
        q(
          `clamp_min((${rate(`${SERVER}_sum`, OWN)} - ${rate(`${GATEWAY}_sum`, OWN)}) / ${rate(`${SERVER}_count`, OWN)}, 0)`,
          'servers',
        ),
      ],
      STACKED,
    ),
    lines(
      'Gateway’s own share',
      'Time that no server had. Where it grows: the event loop (Process), the store of limits, or who waits for a first connection.',
      's',
      [0.5, 0.95, 0.99].map((it) => q(quantile(it, GATEWAY, OWN), `p${it * 100}`)),
    ),
    panel(
      'heatmap',
      'Latency, all of it',
      'Requests by how long they took: two bands are two kinds of request, which a percentile hides.',
      'none',
      [
        q(`sum by (le) (increase(${SERVER}_bucket{${REQUESTS}}[$__rate_interval]))`, '{{le}}', {
          format: 'heatmap',
        }),
      ],
      {
        options: {
          calculate: false,
          color: { mode: 'scheme', scheme: 'Oranges', steps: 64 },
          yAxis: { unit: 's' },
          cellGap: 1,
          tooltip: { mode: 'single', yHistogram: true },
        },
      },
    ),
  ],
}
