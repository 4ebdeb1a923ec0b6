/** Who was denied what, and by which rule, scope or limit. */
import { h, name, refill, theirs } from '../lib/dom.js'
import { ago, dateTime } from '../lib/format.js'
import { client, table, who } from '../lib/parts.js'

const COLUMNS = [
  'When',
  'Principal',
  'Client',
  'Address',
  'Method',
  'Name',
  'Backend',
  'By',
  'Rule, scopes or limit',
]

/** @param {import('../app.js').Context} context @returns {import('../app.js').Screen} */
export function denied({ api }) {
  const element = h('div')
  let held = []
  const draw = () =>
    refill(
      element,
      table('Denied, the newest first', COLUMNS, held.map(rowOf), 'nobody was denied anything.'),
    )
  return {
    element,
    async refresh() {
      held = (await api.get('denials')).denials
      draw()
    },
    onEvents(kind, items) {
      if (kind !== 'denials') return
      held = [...items.toReversed(), ...held].slice(0, 500)
      draw()
    },
  }
}

function rowOf(it) {
  return [
    h('time', { datetime: it.at, title: dateTime(it.at) }, ago(it.at)),
    who(it.principal),
    client(it.client),
    theirs(it.address),
    theirs(it.method),
    [it.kind && `${it.kind} `, name(it.name)],
    name(it.target),
    it.reason,
    theirs(it.by, 'code'),
  ]
}
