/** The field for the token, where the listener wants one. */
import { h, refill } from './lib/dom.js'
import { field } from './lib/parts.js'

/**
 * @param {HTMLElement} main
 * @param {string} problem What was wrong with the last token.
 * @param {(token: string) => Promise<void>} onToken
 */
export function showLogin(main, problem, onToken) {
  const input = h('input', { type: 'password', autocomplete: 'off', required: true, size: 40 })
  const submit = (event) => {
    event.preventDefault()
    void onToken(input.value.trim())
  }
  refill(
    main,
    h(
      'form',
      { class: 'login card', onsubmit: submit },
      h('h1', {}, 'Log in'),
      h(
        'p',
        {},
        'This listener wants the token that the configuration calls admin.token. It is kept while this tab is open.',
      ),
      h('p', { class: 'bad', role: 'alert' }, problem),
      field('Token', input),
      h('button', { class: 'main', type: 'submit' }, 'Log in'),
    ),
  )
  input.focus()
}
