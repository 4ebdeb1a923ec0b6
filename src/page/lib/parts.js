/** Parts that many screens have: tables, states, fields, things to copy. */
import { h, s, theirs } from './dom.js'
import { duration } from './format.js'

const OUTCOMES = {
  ok: ['✓', 'good', 'ok'],
  failed: ['✗', 'bad', 'failed'],
  denied: ['⊘', 'warn', 'denied'],
  limited: ['◔', 'warn', 'limited'],
  cancelled: ['–', 'quiet', 'cancelled'],
  ready: ['✓', 'good', 'ready'],
  incomplete: ['!', 'warn', 'incomplete'],
  connecting: ['…', 'warn', 'connecting'],
  unreachable: ['✗', 'bad', 'unreachable'],
  removed: ['–', 'quiet', 'removed'],
}

/** A state in words, with a sign and a colour. */
export function state(of) {
  const [sign, className, word] = OUTCOMES[of] ?? ['?', 'quiet', String(of)]
  return h(
    'span',
    { class: `state ${className}` },
    h('span', { 'aria-hidden': 'true' }, `${sign} `),
    word,
  )
}

/**
 * A table that scrolls by itself where it is wide.
 * @param {string} caption
 * @param {(string | string[])[]} columns Headings, each with the class of its cells.
 * @param {any[][]} rows
 * @param {string} [empty] What is said where there are none.
 */
export function table(caption, columns, rows, empty = 'Nothing yet.') {
  const heads = columns.map((it) => (Array.isArray(it) ? it : [it, undefined]))
  const cells = (row) => row.map((cell, index) => h('td', { class: heads[index]?.[1] }, cell))
  return h(
    'div',
    { class: 'scroll', role: 'region', 'aria-label': caption, tabindex: 0 },
    h(
      'table',
      {},
      h('caption', {}, rows.length === 0 ? `${caption}: ${empty}` : caption),
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          heads.map(([text, className]) => h('th', { scope: 'col', class: className }, text)),
        ),
      ),
      h(
        'tbody',
        {},
        rows.map((row) => h('tr', {}, cells(row))),
      ),
    ),
  )
}

/** A server's name: that of its target, and of one of several which it is. */
export function serverOf({ target, variant }) {
  return variant === undefined || variant === '' ? target : `${target}@${variant}`
}

/** The names of targets, of those with variants once. */
export function namesOf(targets) {
  return [...new Set(targets.map((it) => it.variant?.target ?? it.name))]
}

/** A figure with its name. */
export function figure(title, value, detail) {
  return h(
    'div',
    { class: 'card' },
    h('h3', {}, title),
    h('p', { class: 'figure' }, value),
    detail && h('p', { class: 'quiet' }, detail),
  )
}

let fields = 0

/** A control with its label; `hint` belongs to it. */
export function field(label, control, hint) {
  const id = `field-${++fields}`
  control.id = id
  const isCheck = control.type === 'checkbox'
  const text = h('label', { for: id }, label)
  if (hint) control.setAttribute('aria-describedby', `${id}-hint`)
  const note = hint && h('span', { class: 'quiet theirs', id: `${id}-hint` }, hint)
  return h(
    'div',
    { class: isCheck ? 'field check' : 'field' },
    isCheck ? [control, text] : [text, control],
    note,
  )
}

/** A choice; each is a value, or a value with its text. */
export function select(choices, value, props = {}) {
  const control = h(
    'select',
    props,
    choices.map((it) => {
      const [key, text] = Array.isArray(it) ? it : [it, it]
      return h('option', { value: key, selected: key === value }, text)
    }),
  )
  return control
}

/** A text with a button that copies it. */
export function copyable(title, text, announce) {
  const shown = h('pre', { tabindex: 0, 'aria-label': title }, text)
  const copy = async () => {
    // Browsers keep the clipboard from pages that were not fetched securely.
    if (navigator.clipboard === undefined) {
      getSelection()?.selectAllChildren(shown)
      return announce('Selected; copy it with the keyboard')
    }
    await navigator.clipboard.writeText(text)
    announce(`Copied: ${title}`)
  }
  return h(
    'div',
    { class: 'card wide' },
    h(
      'div',
      { class: 'row' },
      h('h3', {}, title),
      h('button', { type: 'button', onclick: copy, 'aria-label': `Copy: ${title}` }, 'Copy'),
    ),
    shown,
  )
}

export function json(value, label) {
  return h('pre', { tabindex: 0, 'aria-label': label }, theirs(JSON.stringify(value, null, 2)))
}

/** Who: the name of a principal, and what kind of principal it is. */
export function who({ kind, name, id }) {
  return kind === 'anonymous'
    ? h('span', { class: 'quiet' }, 'anonymous')
    : [theirs(name), h('span', { class: 'quiet', title: id }, ` (${kind})`)]
}

export function client({ name, version }) {
  return name ? theirs(`${name} ${version}`) : h('span', { class: 'quiet' }, 'unknown')
}

/** How long the gateway, and how long the server had a call. */
export function split(gatewayMs, upstreamMs, longestMs) {
  const scale = 120 / Math.max(longestMs, gatewayMs + upstreamMs, 0.001)
  const up = upstreamMs * scale
  return s(
    'svg',
    {
      class: 'split',
      viewBox: '0 0 120 12',
      role: 'img',
      'aria-label': `server ${duration(upstreamMs)}, gateway ${duration(gatewayMs)}`,
    },
    s('rect', { class: 'upstream', x: 0, y: 1, width: up, height: 10 }),
    s('rect', { class: 'gateway', x: up, y: 1, width: Math.max(gatewayMs * scale, 1), height: 10 }),
  )
}
