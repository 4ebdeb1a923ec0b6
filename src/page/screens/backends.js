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
  const restore = async (variant) => {
    announce(`Giving callers to ${variant} again`)
    await api.post(`targets/${encodeURIComponent(variant)}/restore`)
  }
  const refresh = async () => {
    const { targets, problems } = await api.get('targets')
    refill(element, listOf(targets, reconnect, restore), problemsOf(problems))
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
  'Speaks',
  'Has',
  ['Calls, last hour', 'number'],
  ['Failed', 'number'],
  ['Latency p50 / p95', 'number'],
  'Last error',
]

function listOf(targets, reconnect, restore) {
  const rows = targets.map((target) => {
    const { lastHour } = target.traffic ?? {}
    return [
      [
        name(target.name),
        line(theirs(target.address)),
        target.variant && variantOf(target.name, target.variant, restore),
      ],
      stateOf(target, reconnect),
      [
        `${target.transport}${target.era ? ` · ${target.era}` : ''}`,
        target.protocolVersion && line(theirs(target.protocolVersion)),
        target.server && line(theirs(`${target.server.name ?? ''} ${target.server.version ?? ''}`)),
      ],
      countsOf(target),
      count(lastHour?.count),
      lastHour ? share(lastHour.outcomes.failed, lastHour.count) : '–',
      `${duration(lastHour?.upstream.p50)} / ${duration(lastHour?.upstream.p95)}`,
      errorOf(target.traffic?.lastError),
    ]
  })
  return table('Backends', COLUMNS, rows, 'no servers are configured.')
}

function stateOf(target, reconnect) {
  const since = h(
    'time',
    { datetime: target.since, title: dateTime(target.since) },
    ago(target.since),
  )
  const button = h(
    'button',
    {
      type: 'button',
      'data-key': `reconnect ${target.name}`,
      onclick: () => reconnect(target.name),
      'aria-label': `Reconnect ${target.name}`,
    },
    'Reconnect',
  )
  return [
    state(healthOf(target)),
    line('since ', since),
    target.reason && h('div', {}, theirs(target.reason)),
    target.circuit && circuitOf(target.circuit),
    h('div', {}, button),
  ]
}

/** It is one server of several: who is given to it. */
function variantOf(server, { weight, when, givenUp }, restore) {
  const rule = when && [', when ', h('code', {}, theirs(when))]
  return [line(`weight ${weight}`, rule), ...(givenUp ? givenUpOf(server, givenUp, restore) : [])]
}

/** It failed too often, and its callers were given to the first. */
function givenUpOf(server, { failures, calls }, restore) {
  const words = `✗ given up: ${count(failures)} of ${count(calls)} calls failed`
  const button = h(
    'button',
    {
      type: 'button',
      'data-key': `restore ${server}`,
      onclick: () => restore(server),
      'aria-label': `Restore ${server}`,
    },
    'Restore',
  )
  return [h('div', { class: 'bad' }, words), h('div', {}, button)]
}

/** It fails again and again, and is left alone. */
function circuitOf({ state: circuit, until, reason, ejections }) {
  const words =
    circuit === 'open'
      ? ['left alone until ', h('time', { datetime: until }, dateTime(until))]
      : ['being asked whether it is back']
  return [
    h('div', {}, ...words, ejections > 1 && `, for the ${count(ejections)}. time`),
    h('div', {}, theirs(reason)),
  ]
}

function errorOf(error) {
  if (error === undefined) return undefined
  const { errorType, name: what, method, at } = error
  return [theirs(errorType), h('div', {}, name(what || method)), line(ago(at))]
}

/** Something less important, on a line of its own. */
function line(...children) {
  return h('div', { class: 'quiet' }, children)
}

function healthOf({ state: status, reason }) {
  return status === 'ready' && reason !== undefined ? 'incomplete' : status
}

function countsOf({ counts, unapproved = [] }) {
  if (counts === undefined) return '–'
  const has = Object.entries(counts).filter(([, many]) => many > 0)
  const held =
    unapproved.length > 0 &&
    h('div', { class: 'warn' }, `! ${unapproved.length} definitions nobody approved`)
  return [has.map(([kind, many]) => h('div', {}, `${count(many)} ${kind}`)), held]
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
