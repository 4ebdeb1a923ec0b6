/** Calls as they happen, with the server's and the gateway's share of their time. */
import { h, name, refill, theirs } from '../lib/dom.js'
import { duration, time } from '../lib/format.js'
import { client, field, select, serverOf, split, state, table, who } from '../lib/parts.js'

/** Held here, and shown. */
const MAX_HELD = 1_000
const MAX_ROWS = 100
/** Read out now and then: each call would be too much to listen to. */
const ANNOUNCE_MS = 5_000
const COLUMNS = [
  'Time',
  'What',
  'Backend',
  'Who',
  'Outcome',
  ['Duration', 'number'],
  'Its parts',
  ['Server', 'number'],
  ['Gateway', 'number'],
]

/** @param {import('../app.js').Context} context @returns {import('../app.js').Screen} */
export function calls({ api, announce }) {
  let held = []
  let isPaused = false
  let skipped = 0
  let unsaid = 0
  const inputs = {
    name: h('input', { type: 'search' }),
    target: h('input', { type: 'search' }),
    principal: h('input', { type: 'search' }),
    outcome: select([['', 'any'], 'ok', 'failed', 'denied', 'limited', 'cancelled'], ''),
  }
  const list = h('div')
  const note = h('p', { class: 'quiet' })
  const pause = h(
    'button',
    { type: 'button', 'aria-pressed': 'false', onclick: () => setPaused(!isPaused) },
    'Pause',
  )

  const setPaused = (to) => {
    isPaused = to
    pause.setAttribute('aria-pressed', String(to))
    pause.textContent = to ? 'Go on' : 'Pause'
    if (!to) draw()
  }
  const draw = () => {
    const shown = held.filter((it) => isWanted(it, inputs)).slice(0, MAX_ROWS)
    const longest = Math.max(0, ...shown.map((it) => it.durationMs))
    refill(
      list,
      table(
        'The newest calls',
        COLUMNS,
        shown.map((it) => rowOf(it, longest)),
        'none yet, or none that the filters let through.',
      ),
    )
    refill(note, skipped > 0 && `${skipped} calls came too fast to be shown one by one.`)
  }
  for (const input of Object.values(inputs)) input.addEventListener('input', draw)
  const sayNews = setInterval(() => {
    if (unsaid > 0 && !isPaused) announce(`${unsaid} new calls`)
    unsaid = 0
  }, ANNOUNCE_MS)

  const filters = h(
    'form',
    { class: 'filters', role: 'search', onsubmit: (event) => event.preventDefault() },
    field('Tool, prompt, URI or method', inputs.name),
    field('Backend', inputs.target),
    field('Principal, client or session', inputs.principal),
    field('Outcome', inputs.outcome),
    pause,
  )
  return {
    element: h('div', {}, filters, note, list),
    async refresh() {
      held = (await api.get('operations')).operations
      draw()
    },
    onEvents(kind, items, missed) {
      if (kind !== 'operations') return
      held = [...items.toReversed(), ...held].slice(0, MAX_HELD)
      skipped += missed
      unsaid += items.length + missed
      if (!isPaused) draw()
    },
    close: () => clearInterval(sayNews),
  }
}

function isWanted(call, { name: what, target, principal, outcome }) {
  const { principal: caller, client: agent } = call
  return (
    has(`${call.name} ${call.method}`, what) &&
    has(serverOf(call), target) &&
    has(`${caller.name} ${caller.id} ${agent.name} ${agent.version} ${call.session}`, principal) &&
    (outcome.value === '' || call.outcome === outcome.value)
  )
}

function rowOf(call, longest) {
  const at = new Date(call.at).toISOString()
  return [
    h('time', { datetime: at, title: at }, time(call.at)),
    [
      call.name !== '' && [name(call.name), h('br')],
      h('span', { class: 'quiet' }, theirs(call.method)),
      !call.isKnownName && call.name !== '' && h('span', { class: 'quiet' }, ' (unknown name)'),
    ],
    name(serverOf(call)),
    [client(call.client), h('div', {}, who(call.principal))],
    [state(call.outcome), call.errorType && [' ', theirs(call.errorType)]],
    duration(call.durationMs),
    split(call.gatewayMs, call.upstreamMs, longest),
    duration(call.upstreamMs),
    duration(call.gatewayMs),
  ]
}

function has(text, input) {
  return text.toLowerCase().includes(input.value.toLowerCase())
}
