// Rows about tools and about those who use them.
import { lines, table } from './panels.mjs'
import { AGENTS, BY_CLIENT, cells, failing, GATEWAY, mean, OWN, q } from './queries.mjs'
import { quantile, rate, REQUESTS, SERVER } from './queries.mjs'

export const whoAndWhat = {
  Tools: [
    table(
      'Tools',
      'Calls of the chosen time by tool. “Gateway” is the gateway’s own part of “mean”; the rest was the server’s.',
      [
        cells(
          `sum by (gen_ai_tool_name, mcp_junction_target) (increase(${SERVER}_count{${REQUESTS}, gen_ai_tool_name!=""}[$__range]))`,
        ),
        cells(
          failing(
            `${REQUESTS}, gen_ai_tool_name!=""`,
            'gen_ai_tool_name, mcp_junction_target',
            '$__range',
          ),
        ),
        cells(
          quantile(
            0.95,
            SERVER,
            `${REQUESTS}, gen_ai_tool_name!=""`,
            'gen_ai_tool_name, mcp_junction_target',
            '$__range',
          ),
        ),
        cells(
          mean(
            SERVER,
            `${REQUESTS}, gen_ai_tool_name!=""`,
            'gen_ai_tool_name, mcp_junction_target',
            '$__range',
          ),
        ),
        cells(
          mean(
            GATEWAY,
            `${OWN}, gen_ai_tool_name!=""`,
            'gen_ai_tool_name, mcp_junction_target',
            '$__range',
          ),
        ),
      ],
      {
        gen_ai_tool_name: 'Tool',
        mcp_junction_target: 'Target',
        'Value #A': 'Calls',
        'Value #B': 'Errors',
        'Value #C': 'p95',
        'Value #D': 'Mean',
        'Value #E': 'Gateway',
      },
      {
        units: { Calls: 'short', Errors: 'percentunit', p95: 's', Mean: 's', Gateway: 's' },
        sortBy: [{ displayName: 'Calls', desc: true }],
      },
    ),
    lines('Calls by tool', 'By exposed name; `_other` are names that no catalog has.', 'reqps', [
      q(
        rate(`${SERVER}_count`, `${REQUESTS}, gen_ai_tool_name!=""`, 'gen_ai_tool_name'),
        '{{gen_ai_tool_name}}',
      ),
    ]),
    lines('p95 by tool', 'From call to answer, the server included.', 's', [
      q(
        quantile(0.95, SERVER, `${REQUESTS}, gen_ai_tool_name!=""`, 'gen_ai_tool_name'),
        '{{gen_ai_tool_name}}',
      ),
    ]),
    lines(
      'Errors by tool',
      'Share of calls that ended in an error, `isError` included.',
      'percentunit',
      [q(failing(`${REQUESTS}, gen_ai_tool_name!=""`, 'gen_ai_tool_name'), '{{gen_ai_tool_name}}')],
      { defaults: { max: 1 } },
    ),
  ],
  Agents: [
    table(
      'Who uses which tool',
      'Calls of the chosen time, by what clients call themselves, and what came of them.',
      [
        cells(
          `sum by (client, gen_ai_tool_name, outcome) (increase(${BY_CLIENT}{${AGENTS}, gen_ai_tool_name!=""}[$__range]))`,
        ),
      ],
      { client: 'Agent', gen_ai_tool_name: 'Tool', outcome: 'Outcome', Value: 'Calls' },
      { units: { Calls: 'short' }, sortBy: [{ displayName: 'Calls', desc: true }] },
    ),
    lines('Requests by agent', 'By what clients call themselves.', 'reqps', [
      q(rate(BY_CLIENT, AGENTS, 'client'), '{{client}}'),
    ]),
    lines(
      'What goes wrong by agent',
      'Requests that failed, or were denied, limited or cancelled.',
      'reqps',
      [q(rate(BY_CLIENT, `${AGENTS}, outcome!="ok"`, 'client, outcome'), '{{client}} {{outcome}}')],
    ),
    lines(
      'Requests by principal',
      'By who has shown who they are; `telemetry.metrics.principals` says how many have a line of their own.',
      'reqps',
      [
        q(
          rate(`${SERVER}_count`, REQUESTS, 'mcp_junction_principal'),
          '{{mcp_junction_principal}}',
        ),
      ],
    ),
  ],
}
