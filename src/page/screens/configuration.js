/** The configuration in force, without its secrets. */
import { h, refill } from '../lib/dom.js'
import { json } from '../lib/parts.js'

/** @param {import('../app.js').Context} context @returns {import('../app.js').Screen} */
export function configuration({ api }) {
  const element = h('div')
  return {
    element,
    async refresh() {
      const note =
        'As it holds now, with its defaults. Secrets, and what may hold one, are left out or stand as (set).'
      refill(
        element,
        h('p', { class: 'quiet' }, note),
        json(await api.get('config'), 'Configuration'),
      )
    },
  }
}
