/** A client of the gateway's in this page: calls what there is, as whoever its reader says, in either era. */
import { h, refill, theirs } from '../lib/dom.js'
import { duration } from '../lib/format.js'
import { field, select } from '../lib/parts.js'
import { FormError, schemaForm } from '../playground/form.js'
import { LegacyClient } from '../playground/legacy-client.js'
import { ModernClient } from '../playground/modern-client.js'
import { askHere } from '../playground/question.js'
import { RawMessages } from '../playground/raw-messages.js'
import { resultOf } from '../playground/result.js'
import { Wire } from '../playground/wire.js'

const KINDS = {
  tools: { list: 'tools/list', member: 'tools', call: 'tools/call', by: 'name' },
  prompts: { list: 'prompts/list', member: 'prompts', call: 'prompts/get', by: 'name' },
  resources: { list: 'resources/list', member: 'resources', call: 'resources/read', by: 'uri' },
}

/** @param {import('../app.js').Context} context @returns {import('../app.js').Screen} */
export function playground({ api, announce }) {
  const server = select([['', 'everything']], '')
  const era = select(
    [
      ['legacy', '2025-11-25'],
      ['modern', '2026-07-28'],
    ],
    'legacy',
  )
  const identity = select(
    [
      ['', 'anonymous'],
      ['bearer', 'bearer token'],
      ['key', 'API key'],
    ],
    '',
  )
  const credential = h('input', { type: 'password', autocomplete: 'off', size: 30 })
  const credentialField = field('Credential', credential, 'kept nowhere')
  credentialField.hidden = true
  identity.addEventListener('change', () => (credentialField.hidden = identity.value === ''))
  const problem = h('p', { class: 'bad', role: 'alert' })
  const workplace = h('div')
  const raw = new RawMessages()
  let client
  let closing = new AbortController()

  const connect = async (event) => {
    event.preventDefault()
    problem.textContent = ''
    leave()
    closing = new AbortController()
    const place = makeWorkplace()
    const wire = new Wire(api, server.value, headerOf(identity.value, credential.value), raw.add)
    client =
      era.value === 'modern'
        ? new ModernClient(wire, place.hearing)
        : new LegacyClient(wire, place.hearing)
    try {
      const about = await client.open()
      refill(workplace, place.element(about))
      announce('Connected')
      await place.choose()
    } catch (error) {
      refill(workplace)
      problem.textContent = messageOf(error)
    }
  }

  /** The part of the screen that there is once there is a connection. */
  const makeWorkplace = () => {
    const kind = select(Object.keys(KINDS), 'tools')
    const item = select([], '')
    const [about, formPlace, questions, outcome] = [
      h('div'),
      h('div'),
      h('div'),
      h('div', { role: 'status' }),
    ]
    const progress = h('progress', { 'aria-label': 'Progress', hidden: true })
    const wrong = h('p', { class: 'bad', role: 'alert' })
    const call = h('button', { class: 'main', type: 'submit' }, 'Call')
    const stop = h(
      'button',
      { type: 'button', disabled: true, onclick: () => running?.abort() },
      'Cancel',
    )
    let items = []
    let form
    /** @type {AbortController | undefined} */
    let running

    const showItem = () => {
      const chosen = items[Number(item.value)]
      call.disabled = chosen === undefined
      form = schemaForm(chosen === undefined ? {} : schemaOf(kind.value, chosen))
      refill(about, chosen && theirs(chosen.description ?? '', 'p'))
      refill(formPlace, kind.value !== 'resources' && form.element)
    }
    const choose = async () => {
      const { list, member, by } = KINDS[kind.value]
      items = []
      try {
        items = (await client.request(list, {}))[member] ?? []
        wrong.textContent = ''
      } catch (error) {
        wrong.textContent = messageOf(error)
      }
      refill(
        item,
        items.map((it, index) => h('option', { value: index }, theirs(it[by]).textContent)),
      )
      showItem()
    }
    const run = async (event) => {
      event.preventDefault()
      const chosen = items[Number(item.value)]
      const { call: method, by } = KINDS[kind.value]
      wrong.textContent = ''
      refill(outcome)
      running = new AbortController()
      const begun = performance.now()
      try {
        const given = kind.value === 'resources' ? {} : { arguments: form.read() }
        call.disabled = true
        stop.disabled = false
        progress.hidden = false
        progress.removeAttribute('value')
        const signal = AbortSignal.any([running.signal, closing.signal])
        const result = await client.request(
          method,
          { [by]: chosen[by], ...given },
          signal,
          chosen.inputSchema,
        )
        refill(
          outcome,
          resultOf(result),
          h('p', { class: 'quiet' }, `After ${duration(performance.now() - begun)}.`),
        )
      } catch (error) {
        wrong.textContent = running.signal.aborted
          ? 'Cancelled.'
          : error instanceof FormError
            ? error.message
            : messageOf(error)
      }
      running.abort()
      call.disabled = false
      stop.disabled = true
      progress.hidden = true
    }
    kind.addEventListener('change', () => void choose())
    item.addEventListener('change', showItem)
    const hearing = {
      ask: (_method, params) =>
        askHere(
          questions,
          params,
          AbortSignal.any([running?.signal ?? closing.signal, closing.signal]),
        ),
      notify(method, params) {
        if (method !== 'notifications/progress') return
        if (params.total) {
          progress.max = params.total
          progress.value = params.progress
        }
        announce(
          `Progress: ${params.progress}${params.total ? ` of ${params.total}` : ''} ${params.message ?? ''}`,
        )
      },
    }
    const element = (introduction) => [
      h('p', {}, 'Connected to ', theirs(nameOf(introduction), 'strong'), '.'),
      h(
        'form',
        { class: 'card', 'aria-label': 'Call', onsubmit: run },
        h('div', { class: 'row' }, field('What', kind), field('Name', item)),
        about,
        formPlace,
        wrong,
        h('div', { class: 'row' }, call, stop, progress),
      ),
      questions,
      h('h2', {}, 'Result'),
      outcome,
    ]
    return { hearing, choose, element }
  }

  const leave = () => {
    closing.abort()
    // A session that cannot be ended ends by itself.
    client?.close().catch((error) => announce(messageOf(error)))
    client = undefined
  }
  return {
    element: h(
      'div',
      {},
      h(
        'form',
        { class: 'row card', 'aria-label': 'Connection', onsubmit: connect },
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
      const { value } = server
      refill(
        server,
        [['', 'everything'], ...targets.map((it) => [it.name, it.name])].map(([key, text]) =>
          h('option', { value: key, selected: key === value }, text),
        ),
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

/** Prompts list their arguments; all of them are text. */
function schemaOf(kind, item) {
  if (kind !== 'prompts') return item.inputSchema ?? {}
  const given = Array.isArray(item.arguments) ? item.arguments : []
  return {
    properties: Object.fromEntries(
      given.map(({ name, description, title }) => [name, { type: 'string', description, title }]),
    ),
    required: given.filter((it) => it.required === true).map((it) => it.name),
  }
}

function nameOf({ serverInfo, _meta }) {
  const info = serverInfo ?? _meta?.['io.modelcontextprotocol/serverInfo'] ?? {}
  return `${info.name ?? 'the gateway'} ${info.version ?? ''}`
}

function messageOf(error) {
  return error instanceof Error ? error.message : String(error)
}
