/** Every message as it went over the wire, the newest first. */
import { h, theirs } from '../lib/dom.js'
import { time } from '../lib/format.js'

const MAX_MESSAGES = 100
/** Longer ones are cut, here and nowhere else. */
const MAX_CHARS = 20_000

export class RawMessages {
  #list = h('ol', { class: 'raw', reversed: true })
  element = h('section', { 'aria-label': 'Raw messages' }, h('h2', {}, 'Raw messages'), this.#list)

  /** @type {(direction: 'sent' | 'received', text: string, detail: string) => void} */
  add = (direction, text, detail) => {
    const sign = direction === 'sent' ? '→ sent' : '← received'
    const shown =
      text.length > MAX_CHARS
        ? `${text.slice(0, MAX_CHARS)}… (${text.length} characters)`
        : pretty(text)
    this.#list.prepend(
      h(
        'li',
        {},
        h('strong', {}, sign),
        h('span', { class: 'quiet' }, ` ${time(Date.now())} · `, theirs(detail)),
        shown && h('pre', { tabindex: 0 }, theirs(shown)),
      ),
    )
    while (this.#list.children.length > MAX_MESSAGES) this.#list.lastElementChild?.remove()
  }
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}
