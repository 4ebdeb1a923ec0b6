/**
 * Elements, made one way: names of elements and attributes are ours, and everything else is text. There is no markup
 * from strings anywhere; the page's policy (Trusted Types) would refuse it.
 */
const SVG = 'http://www.w3.org/2000/svg'

/** @typedef {any} Child A text, a node, nothing, or a list of them. */
/** @typedef {Record<string, unknown>} Props A function is a listener (`onclick`), `true` an attribute without value. */

/**
 * An element.
 * @param {string} tag
 * @param {Props} [props]
 * @param {...Child} children
 * @returns {any}
 */
export function h(tag, props = {}, ...children) {
  return filled(document.createElement(tag), props, children)
}

/**
 * An element of SVG.
 * @param {string} tag
 * @param {Props} [props]
 * @param {...Child} children
 */
export function s(tag, props = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), props, children)
}

/** A text that others wrote: isolated from what is around it, with nothing in it that cannot be seen. */
export function theirs(text, tag = 'span', className = '') {
  return h(tag, { class: `theirs ${className}`.trim() }, visible(text))
}

/** The name of a tool, prompt, target or the like. */
export function name(text) {
  return theirs(text, 'span', 'name')
}

/** With what is invisible, or turns the direction of text, shown as its code point. */
export function visible(text) {
  return String(text ?? '').replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu, (it) => {
    if (it === '\n' || it === '\t') return it
    return `\\u{${it.codePointAt(0)?.toString(16)}}`
  })
}

/**
 * Puts other children into an element; whoever had the focus in it has it again, and what was open stays so, where
 * something of the same `data-key` is there.
 */
export function refill(element, ...children) {
  const { activeElement } = document
  const focused = element.contains(activeElement) ? keyOf(activeElement) : undefined
  const open = new Set([...element.querySelectorAll('details[open][data-key]')].map(keyOf))
  element.replaceChildren(...children.flat(2).filter(isShown))
  for (const keyed of element.querySelectorAll('[data-key]')) {
    if (open.has(keyOf(keyed))) keyed.open = true
    if (focused !== undefined && keyOf(keyed) === focused) keyed.focus()
  }
}

function filled(element, props, children) {
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue
    if (typeof value === 'function') element.addEventListener(key.slice(2), value)
    else element.setAttribute(key, value === true ? '' : String(value))
  }
  element.append(...children.flat(2).filter(isShown))
  return element
}

function isShown(child) {
  return child !== undefined && child !== null && child !== false && child !== ''
}

function keyOf(element) {
  return element?.dataset?.key
}
