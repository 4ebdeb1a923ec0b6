/** Who is connected. */
import { h, name, refill, theirs } from '../lib/dom.js'
import { ago, count, dateTime, duration } from '../lib/format.js'
import { client, table } from '../lib/parts.js'

const COLUMNS = [
  'Session',
  'Client',
  'Principal',
  'Connected to',
  'Speaks',
  'Can be asked for',
  'Since',
  'Idle for',
  ['Running', 'number'],
  'Listens',
]

/** @param {import('../app.js').Context} context @returns {import('../app.js').Screen} */
export function sessions({ api }) {
  const element = h('div')
  return {
    element,
    everyMs: 5_000,
    async refresh() {
      const { count: many, modernCallers, sessions: shown } = await api.get('sessions')
      const rows = shown.map((it) => [
        name(it.session),
        client(it.client),
        theirs(it.principal),
        it.server === '' ? 'everything' : name(it.server),
        theirs(it.protocolVersion),
        theirs(it.capabilities.join(', ')),
        h('time', { datetime: it.since, title: dateTime(it.since) }, ago(it.since)),
        it.idleMs === 0 ? 'busy' : duration(it.idleMs),
        count(it.running),
        it.isHeard ? 'yes' : 'no',
      ])
      const note = `${count(many)} sessions. Clients of 2026-07-28 have none; ${count(modernCallers)} of them were here lately.`
      refill(
        element,
        h('p', { class: 'quiet' }, note),
        table('Sessions', COLUMNS, rows, 'nobody is connected.'),
      )
    },
  }
}
