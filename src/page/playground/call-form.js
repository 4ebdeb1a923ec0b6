/** What can be called, a form for its arguments, and what comes of it; what the server asks meanwhile is asked here. */
import { h, refill, theirs, visible } from '../lib/dom.js'
import { duration } from '../lib/format.js'
import { field, select } from '../lib/parts.js'
import { schemaForm } from './form.js'
import { askHere } from './question.js'
import { resultOf } from './result.js'

const KINDS = {
  tools: { list: 'tools/list', member: 'tools', call: 'tools/call', by: 'name' },
  prompts: { list: 'prompts/list', member: 'prompts', call: 'prompts/get', by: 'name' },
  resources: { list: 'resources/list', member: 'resources', call: 'resources/read', by: 'uri' },
}

/**
 * @typedef {{ request: (method: string, params: any, signal?: AbortSignal, schema?: any) => Promise<any> }} Client
 */

export class CallForm {
  #announce
  #closing
  /** @type {Client | undefined} */
  #client
  /** @type {any[]} */
  #items = []
  #form = schemaForm({})
  #running = new AbortController()

  #kind = select(Object.keys(KINDS), 'tools')
  #item = select([], '')
  #about = h('div')
  #arguments = h('div')
  #questions = h('div')
  #outcome = h('div', { role: 'status' })
  #progress = h('progress', { 'aria-label': 'Progress', hidden: true })
  #problem = h('p', { class: 'bad', role: 'alert' })
  #call = h('button', { class: 'main', type: 'submit' }, 'Call')
  #stop = h('button', { type: 'button', disabled: true }, 'Cancel')

  element = h(
    'div',
    {},
    h(
      'form',
      { class: 'card', 'aria-label': 'Call', onsubmit: (event) => void this.#run(event) },
      h('div', { class: 'row' }, field('What', this.#kind), field('Name', this.#item)),
      this.#about,
      this.#arguments,
      this.#problem,
      h('div', { class: 'row' }, this.#call, this.#stop, this.#progress),
    ),
    this.#questions,
    h('h2', {}, 'Result'),
    this.#outcome,
  )

  /** @type {import('./client.js').Hearing} */
  hearing = {
    ask: (_method, params) => askHere(this.#questions, params, this.#signal),
    notify: (method, params) => {
      if (method === 'notifications/progress') this.#showProgress(params)
    },
  }

  /**
   * @param {(text: string) => void} announce
   * @param {AbortSignal} closing Whoever looks at this has gone.
   */
  constructor(announce, closing) {
    this.#announce = announce
    this.#closing = closing
    this.#kind.addEventListener('change', () => void this.#choose())
    this.#item.addEventListener('change', () => this.#show())
    this.#stop.addEventListener('click', () => this.#running.abort())
  }

  /** Reads what there is to call. @param {Client} client */
  async open(client) {
    this.#client = client
    await this.#choose()
  }

  get #signal() {
    return AbortSignal.any([this.#running.signal, this.#closing])
  }

  async #choose() {
    const { list, member, by } = KINDS[this.#kind.value]
    this.#items = []
    try {
      this.#items = (await this.#client?.request(list, {}))?.[member] ?? []
      this.#problem.textContent = ''
    } catch (error) {
      this.#problem.textContent = messageOf(error)
    }
    const options = this.#items.map((it, index) => h('option', { value: index }, visible(it[by])))
    refill(this.#item, options)
    this.#show()
  }

  #show() {
    const chosen = this.#items[Number(this.#item.value)]
    this.#call.disabled = chosen === undefined
    this.#form = schemaForm(chosen === undefined ? {} : schemaOf(this.#kind.value, chosen))
    refill(this.#about, chosen && theirs(chosen.description ?? '', 'p'))
    refill(this.#arguments, this.#kind.value !== 'resources' && this.#form.element)
  }

  async #run(event) {
    event.preventDefault()
    const chosen = this.#items[Number(this.#item.value)]
    const { call, by } = KINDS[this.#kind.value]
    this.#problem.textContent = ''
    refill(this.#outcome)
    const running = new AbortController()
    this.#running = running
    const begun = performance.now()
    try {
      const given = this.#kind.value === 'resources' ? {} : { arguments: this.#form.read() }
      this.#setBusy(true)
      const params = { [by]: chosen[by], ...given }
      const result = await this.#client?.request(call, params, this.#signal, chosen.inputSchema)
      const after = h('p', { class: 'quiet' }, `After ${duration(performance.now() - begun)}.`)
      refill(this.#outcome, resultOf(result), after)
    } catch (error) {
      this.#problem.textContent = running.signal.aborted ? 'Cancelled.' : messageOf(error)
    }
    this.#setBusy(false)
    // A question that nobody waits for any more is taken back.
    running.abort()
  }

  #setBusy(isBusy) {
    this.#call.disabled = isBusy
    this.#stop.disabled = !isBusy
    this.#progress.hidden = !isBusy
    if (isBusy) this.#progress.removeAttribute('value')
  }

  /** Figures are the server's, and may be none. */
  #showProgress({ progress, total, message = '' }) {
    if (Number.isFinite(progress) && total > 0 && Number.isFinite(total)) {
      this.#progress.max = total
      this.#progress.value = progress
    }
    const of = total === undefined ? '' : ` of ${total}`
    this.#announce(visible(`Progress: ${progress}${of} ${message}`))
  }
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

/** What went wrong, in words that may be the server's. */
export function messageOf(error) {
  return visible(error instanceof Error ? error.message : String(error))
}
