/** What a server asks in the course of a call, answered here. */
import { h, theirs, visible } from '../lib/dom.js'
import { FormError, schemaForm } from './form.js'

/**
 * Puts a question into `place`, and resolves with what is answered.
 * @param {HTMLElement} place
 * @param {any} params Of `elicitation/create`.
 * @param {AbortSignal} signal Nobody wants to know any more.
 * @returns {Promise<{ action: string, content?: any }>}
 */
export function askHere(place, params, signal) {
  return new Promise((resolve) => {
    const isUrl = params.mode === 'url'
    const form = isUrl ? undefined : schemaForm(params.requestedSchema)
    const problem = h('p', { class: 'bad', role: 'alert' })
    const settle = (answer) => {
      place.replaceChildren()
      resolve(answer)
    }
    const submit = (event) => {
      event.preventDefault()
      try {
        settle({ action: 'accept', ...(form === undefined ? {} : { content: form.read() }) })
      } catch (error) {
        if (!(error instanceof FormError)) throw error
        problem.textContent = error.message
      }
    }
    const button = (text, action) =>
      h('button', { type: 'button', onclick: () => settle({ action }) }, text)
    const heading = h('h2', { tabindex: -1 }, 'The server asks')
    place.replaceChildren(
      h(
        'form',
        { class: 'ask', 'aria-label': 'The server asks', onsubmit: submit },
        heading,
        theirs(params.message, 'p'),
        isUrl && address(params.url),
        form?.element,
        problem,
        h(
          'div',
          { class: 'row' },
          h('button', { class: 'main', type: 'submit' }, isUrl ? 'Done' : 'Answer'),
          button('Decline', 'decline'),
          button('Cancel the question', 'cancel'),
        ),
      ),
    )
    heading.focus()
    signal.addEventListener('abort', () => settle({ action: 'cancel' }), { once: true })
  })
}

/** Where the server wants its reader to go: shown whole, and opened by the reader alone. */
function address(text) {
  const url = URL.canParse(String(text)) ? new URL(String(text)) : undefined
  const isWeb = url?.protocol === 'https:' || url?.protocol === 'http:'
  if (url === undefined || !isWeb)
    return theirs(`It names no address that could be opened: ${text}`, 'p')
  const link = h(
    'a',
    { href: url.href, target: '_blank', rel: 'noopener noreferrer' },
    visible(url.href),
  )
  return h('p', {}, 'It wants you to open ', link, ` at ${visible(url.host)}.`)
}
