/** A client of the gateway's in this page: calls what there is, as whoever its reader says, in either era. */
import { h, refill, theirs } from '../lib/dom.js'
import { field, namesOf, select } from '../lib/parts.js'
import { CallForm, messageOf } from '../playground/call-form.js'
import { LegacyClient } from '../playground/legacy-client.js'
import { ModernClient } from '../playground/modern-client.js'
import { RawMessages } from '../playground/raw-messages.js'
import { Wire } from '../playground/wire.js'

const REVISIONS = [
  ['legacy', '2025-11-25'],
  ['modern', '2026-07-28'],
]
const IDENTITIES = [
  ['', 'anonymous'],
  ['bearer', 'bearer token'],
  ['key', 'API key'],
]

/** @param {import('../app.js').Context} context @returns {import('../app.js').Screen} */
export function playground({ api, announce }) {
  const server = select([['', 'everything']], '')
  const era = select(REVISIONS, 'legacy')
  const identity = select(IDENTITIES, '')
  const credential = h('input', { type: 'password', autocomplete: 'off', size: 30 })
  const credentialField = field('Credential', credential, 'kept nowhere')
  credentialField.hidden = true
  identity.addEventListener('change', () => (credentialField.hidden = identity.value === ''))
  const problem = h('p', { class: 'bad', role: 'alert' })
  const workplace = h('div')
  const raw = new RawMessages()
  let client
  let closing = new AbortController()

  const leave = () => {
    closing.abort()
    // A session that cannot be ended ends by itself.
    client?.close().catch((error) => announce(messageOf(error)))
    client = undefined
  }
  const connect = async (event) => {
    event.preventDefault()
    problem.textContent = ''
    leave()
    closing = new AbortController()
    const form = new CallForm(announce, closing.signal)
    const wire = new Wire(api, server.value, headerOf(identity.value, credential.value), raw.add)
    const Client = era.value === 'modern' ? ModernClient : LegacyClient
    const opening = new Client(wire, form.hearing)
    client = opening
    try {
      const name = nameOf(await opening.open())
      refill(workplace, h('p', {}, 'Connected to ', theirs(name, 'strong'), '.'), form.element)
      announce('Connected')
      await form.open(opening)
    } catch (error) {
      refill(workplace)
      problem.textContent = messageOf(error)
    }
  }

  return {
    element: h(
      'div',
      {},
      h(
        'form',
        { class: 'row card', 'aria-label': 'Connection', onsubmit: (event) => void connect(event) },
        field('Connect to', server),
        field('Revision', era),
        field('As', identity),
        credentialField,
        h('button', { class: 'main', type: 'submit' }, 'Connect'),
      ),
      problem,
      h('div', { class: 'columns' }, h('div', {}, workplace), raw.element),
    ),
    async refresh() {
      const { targets } = await api.get('targets')
      const choices = [['', 'everything'], ...namesOf(targets).map((it) => [it, it])]
      const { value } = server
      refill(
        server,
        choices.map(([key, text]) => h('option', { value: key, selected: key === value }, text)),
      )
    },
    close: leave,
  }
}

/** @returns {Record<string, string>} */
function headerOf(identity, credential) {
  if (identity === 'bearer') return { authorization: `Bearer ${credential}` }
  return identity === 'key' ? { 'x-api-key': credential } : {}
}

function nameOf({ serverInfo, _meta }) {
  const info = serverInfo ?? _meta?.['io.modelcontextprotocol/serverInfo'] ?? {}
  return `${info.name ?? 'the gateway'} ${info.version ?? ''}`
}
