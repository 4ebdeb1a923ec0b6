/** Who uses what: clients by their names, principals and addresses, and the tools that each of them called. */
import { h, name, refill, theirs } from '../lib/dom.js'
import { ago, count, duration, share } from '../lib/format.js'
import { client, table, who } from '../lib/parts.js'

/** @param {import('../app.js').Context} context @returns {import('../app.js').Screen} */
export function agents({ api }) {
  const element = h('div')
  return {
    element,
    everyMs: 5_000,
    async refresh() {
      const { agents: found, kept } = await api.get('agents')
      const note = `What clients call themselves is theirs to choose; the principal is what was verified. The last ${kept} are kept.`
      const nobody = found.length === 0 && h('p', {}, 'Nobody has asked for anything yet.')
      refill(element, h('p', { class: 'quiet' }, note), nobody, found.map(agentOf))
    },
  }
}

function agentOf(agent) {
  const key = `${agent.client.name} ${agent.client.version} ${agent.principal.id} ${agent.address}`
  const summary = h(
    'summary',
    { 'data-key': `summary ${key}` },
    h('strong', {}, client(agent.client)),
    ' as ',
    who(agent.principal),
    ' from ',
    theirs(agent.address),
    h(
      'span',
      { class: 'quiet' },
      ` · ${agent.era} ${agent.protocolVersion} · ${count(agent.count)} requests, ${share(agent.failed, agent.count)} failed, ${count(agent.denied)} denied · ${ago(agent.lastAt)}`,
    ),
  )
  const rows = agent.uses.map((use) => [
    theirs(use.method),
    name(use.name),
    name(use.target),
    count(use.count),
    count(use.failed),
    count(use.denied),
    duration(use.averageMs),
    duration(use.averageUpstreamMs),
    ago(use.lastAt),
  ])
  const columns = [
    'Method',
    'Name',
    'Backend',
    ['Times', 'number'],
    ['Failed', 'number'],
    ['Denied', 'number'],
    ['Average', 'number'],
    ['Of it, the server', 'number'],
    'Last',
  ]
  return h(
    'details',
    { class: 'card wide', 'data-key': key },
    summary,
    table('What it uses', columns, rows),
  )
}
