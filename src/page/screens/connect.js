/** Settings for clients, ready to be copied. */
import { h, refill } from '../lib/dom.js'
import { copyable, field, namesOf, select } from '../lib/parts.js'

/** @param {import('../app.js').Context} context @returns {import('../app.js').Screen} */
export function connect({ api, announce }) {
  const element = h('div')
  const list = h('div')
  return {
    element,
    async refresh() {
      const [status, { targets }] = await Promise.all([api.get('status'), api.get('targets')])
      const choices = [
        ['', 'everything'],
        ...namesOf(targets).map((it) => [it, `${it} alone, under its own names`]),
      ]
      const server = select(choices, '')
      const draw = () => {
        const url = server.value === '' ? urlOf(status) : `${urlOf(status)}/${server.value}`
        const settings = settingsOf(url, status.authentication !== 'off')
        refill(
          list,
          settings.map(([title, text]) => copyable(title, text, announce)),
        )
      }
      server.addEventListener('change', draw)
      const asked =
        status.authentication !== 'off' &&
        h(
          'p',
          {},
          'Clients have to show who they are: put their token or key in the place of YOUR_TOKEN.',
        )
      refill(element, asked, h('div', { class: 'row' }, field('Connect to', server)), list)
      draw()
    },
  }
}

/** As it is reached from where this page is. */
function urlOf({ url, isOnAllAddresses }) {
  const known = new URL(url)
  if (isOnAllAddresses) known.hostname = location.hostname
  return known.href
}

/** @returns {[string, string][]} */
function settingsOf(url, needsToken) {
  const headers = needsToken ? { headers: { Authorization: 'Bearer YOUR_TOKEN' } } : {}
  const flag = needsToken ? ' --header "Authorization: Bearer YOUR_TOKEN"' : ''
  const bridge = {
    command: 'npx',
    args: [
      '-y',
      'mcp-remote',
      url,
      ...(needsToken ? ['--header', 'Authorization: Bearer YOUR_TOKEN'] : []),
    ],
  }
  const options = needsToken
    ? `, {\n  requestInit: { headers: { Authorization: 'Bearer YOUR_TOKEN' } },\n}`
    : ''
  return [
    ['URL', url],
    ['Inspector', `npx @modelcontextprotocol/inspector --transport http --server-url ${url}`],
    ['Claude Code', `claude mcp add --transport http junction ${url}${flag}`],
    ['Claude Desktop (claude_desktop_config.json)', pretty({ mcpServers: { junction: bridge } })],
    [
      'VS Code (.vscode/mcp.json)',
      pretty({ servers: { junction: { type: 'http', url, ...headers } } }),
    ],
    ['Cursor (~/.cursor/mcp.json)', pretty({ mcpServers: { junction: { url, ...headers } } })],
    [
      'TypeScript SDK',
      `import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'

const client = new Client({ name: 'my-agent', version: '1' }, { versionNegotiation: { mode: 'auto' } })
await client.connect(new StreamableHTTPClientTransport(new URL('${url}')${options}))
console.log(await client.listTools())`,
    ],
    [
      'Python SDK',
      `from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

async with streamablehttp_client("${url}"${needsToken ? ', headers={"Authorization": "Bearer YOUR_TOKEN"}' : ''}) as (read, write, _):
    async with ClientSession(read, write) as session:
        await session.initialize()
        print(await session.list_tools())`,
    ],
  ]
}

function pretty(value) {
  return JSON.stringify(value, null, 2)
}
