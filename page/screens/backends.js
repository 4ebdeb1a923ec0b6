/** Every server behind the gateway: what it speaks, how it is, and a way to connect to it anew. */
import { h, name, refill, theirs } from '../lib/dom.js'
import { ago, count, dateTime, duration, share } from '../lib/format.js'
import { state, table } from '../lib/parts.js'

/** @param {import('../app.js').Context} context @returns {import('../app.js').Screen} */
export function backends({ api, announce }) {
  const element = h('div')
  const reconnect = async (target) => {
    announce(`Connecting ${target} anew`)
    await api.post(`targets/${encodeURIComponent(target)}/reconnect`)
  }
  const refresh = async () => {
    const { targets, problems } = await api.get('targets')
    refill(element, listOf(targets, reconnect), problemsOf(problems))
  }
  return {
    element,
    everyMs: 5_000,
    refresh,
    onEvents: (kind) => void (kind === 'targets' || kind === 'catalog' ? refresh() : undefined),
  }
}

const COLUMNS = [
  'Backend',
  'State',
  'Since',
  'Speaks',
  'Server',
  ['Calls, last hour', 'number'],
  ['Failed', 'number'],
  ['Latency p50 / p95', 'number'],
  'Tools, prompts, resources, templates',
  'Last error',
  'Action',
]

function listOf(targets, reconnect) {
  const rows = targets.map((target) => {
    const { lastHour, lastError } = target.traffic ?? {}
    const { info = {} } = { info: target.server }
    return [
      [name(target.name), h('br'), h('span', { class: 'quiet' }, theirs(target.address))],
      [state(healthOf(target)), target.reason && [h('br'), theirs(target.reason)]],
      h('time', { datetime: target.since, title: dateTime(target.since) }, ago(target.since)),
      [
        target.transport,
        target.era && ` · ${target.era}`,
        h('br'),
        h('span', { class: 'quiet' }, theirs(target.protocolVersion ?? '')),
      ],
      theirs(`${info?.name ?? ''} ${info?.version ?? ''}`),
      count(lastHour?.count),
      lastHour ? share(lastHour.outcomes.failed, lastHour.count) : '–',
      `${duration(lastHour?.upstream.p50)} / ${duration(lastHour?.upstream.p95)}`,
      countsOf(target),
      lastError && [
        theirs(`${lastError.errorType} ${lastError.name || lastError.method}`),
        h('br'),
        h('span', { class: 'quiet' }, ago(lastError.at)),
      ],
      h(
        'button',
        {
          type: 'button',
          'data-key': `reconnect ${target.name}`,
          onclick: () => reconnect(target.name),
          'aria-label': `Reconnect ${target.name}`,
        },
        'Reconnect',
      ),
    ]
  })
  return table('Backends', COLUMNS, rows, 'no servers are configured.')
}

function healthOf({ state: status, reason }) {
  return status === 'ready' && reason !== undefined ? 'incomplete' : status
}

function countsOf({ counts, unapproved = [] }) {
  if (counts === undefined) return '–'
  const { tools, prompts, resources, templates } = counts
  const text = [tools, prompts, resources, templates].map(count).join(' · ')
  const held =
    unapproved.length > 0 &&
    h('span', { class: 'warn' }, `! ${unapproved.length} definitions nobody approved`)
  return [text, held && h('br'), held]
}

function problemsOf(problems) {
  if (problems.length === 0) return undefined
  const rows = problems.map(({ object, message, severity }) => [
    severity,
    name(object),
    theirs(message),
  ])
  return table('What was found and is not served', ['', 'What', 'Why'], rows)
}
