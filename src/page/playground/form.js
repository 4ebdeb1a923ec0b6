/** A form from a JSON Schema: fields for what people can fill in, JSON for the rest. What is missing is left out. */
import { h, visible } from '../lib/dom.js'
import { field, select } from '../lib/parts.js'

const MAX_FIELDS = 100
const MAX_DEPTH = 3
const INPUT_TYPES = { date: 'date', 'date-time': 'text', email: 'email', uri: 'url' }

/** Something was filled in that cannot be. */
export class FormError extends Error {}

/**
 * @param {any} schema Of an object.
 * @returns {{ element: HTMLElement, read: () => any }} `read` throws FormError.
 */
export function schemaForm(schema) {
  const properties = Object.entries(schema?.properties ?? {})
  const isPlain = properties.length <= MAX_FIELDS
  const form = isPlain ? objectFields(schema, 0) : undefined
  const text = h('textarea', { rows: 8, spellcheck: 'false' }, '{}')
  const raw = field('Arguments, as JSON', text)
  const toggle = h('input', { type: 'checkbox', checked: !isPlain, disabled: !isPlain })
  const show = () => {
    raw.hidden = !toggle.checked
    if (form !== undefined) form.element.hidden = toggle.checked
  }
  toggle.addEventListener('change', () => {
    // What was filled in goes along, as far as it can be read.
    if (toggle.checked && form !== undefined) text.value = JSON.stringify(tryRead(form), null, 2)
    show()
  })
  show()
  return {
    element: h('div', {}, form?.element, raw, field('Edit as JSON', toggle)),
    read: () => (toggle.checked ? parsed('Arguments', text.value) : form?.read()),
  }
}

/** The fields of an object, and their values. */
function objectFields(schema, depth) {
  const required = new Set(Array.isArray(schema?.required) ? schema.required : [])
  const fields = Object.entries(schema?.properties ?? {}).map(([key, property]) => {
    return [key, fieldOf(key, property ?? {}, required.has(key), depth)]
  })
  return {
    element: h(
      'div',
      {},
      fields.length === 0
        ? h('p', { class: 'quiet' }, 'Nothing to fill in.')
        : fields.map(([, it]) => it.element),
    ),
    read: () => {
      const values = fields
        .map(([key, it]) => [key, it.read()])
        .filter(([, value]) => value !== undefined)
      return Object.fromEntries(values)
    },
  }
}

function fieldOf(key, property, isRequired, depth) {
  const title = visible(typeof property.title === 'string' ? property.title : key)
  const label = isRequired ? `${title} (required)` : title
  const hint = typeof property.description === 'string' ? visible(property.description) : ''
  const choices = choicesOf(property)
  if (choices !== undefined) return choice(label, hint, choices, property.default, isRequired)
  const several = property.type === 'array' ? choicesOf(property.items ?? {}) : undefined
  if (several !== undefined) return severalOf(label, hint, several, property.default)
  if (property.type === 'boolean') {
    return choice(
      label,
      hint,
      [
        [true, 'yes'],
        [false, 'no'],
      ],
      property.default,
      isRequired,
    )
  }
  if (property.type === 'object' && property.properties && depth < MAX_DEPTH) {
    const inner = objectFields(property, depth + 1)
    const read = () => {
      const value = inner.read()
      return Object.keys(value).length === 0 && !isRequired ? undefined : value
    }
    return { element: h('fieldset', {}, h('legend', {}, label), inner.element), read }
  }
  return written(label, hint, property, isRequired)
}

/** What is written into a field: text and numbers as they are, everything else as JSON. */
function written(label, hint, property, isRequired) {
  const { type, format, default: initial } = property
  const isText = type === 'string'
  const isNumber = type === 'number' || type === 'integer'
  const isJson = !isText && !isNumber
  const shown = initial === undefined ? '' : isText ? String(initial) : JSON.stringify(initial)
  const control = isJson
    ? h('textarea', { rows: 3, spellcheck: 'false', 'aria-required': isRequired }, shown)
    : h('input', {
        type: INPUT_TYPES[format] ?? 'text',
        inputmode: isNumber ? 'decimal' : undefined,
        value: shown,
        'aria-required': isRequired,
        size: 40,
      })
  const note = [hint, isJson && 'as JSON', isNumber && 'a number'].filter(Boolean).join(' · ')
  return {
    element: field(label, control, note),
    read: () => {
      const { value } = control
      if (value === '') return isText && isRequired ? '' : undefined
      if (isText) return value
      if (isJson) return parsed(label, value)
      const number = Number(value)
      if (Number.isNaN(number)) throw new FormError(`${label}: this is no number`)
      return number
    },
  }
}

/** One of several values, of whatever type. */
function choice(label, hint, choices, initial, isRequired) {
  const none = isRequired && initial !== undefined ? [] : [['', '–']]
  const index = choices.findIndex(([value]) => value === initial)
  const options = choices.map(([, text], at) => [String(at), visible(text)])
  const control = select([...none, ...options], index === -1 ? '' : String(index))
  return {
    element: field(label, control, hint),
    read: () => (control.value === '' ? undefined : choices[Number(control.value)]?.[0]),
  }
}

function severalOf(label, hint, choices, initial = []) {
  const boxes = choices.map(([value]) =>
    h('input', { type: 'checkbox', checked: Array.isArray(initial) && initial.includes(value) }),
  )
  const fields = boxes.map((box, index) => field(visible(choices[index]?.[1]), box))
  return {
    element: h(
      'fieldset',
      {},
      h('legend', {}, label),
      hint && h('p', { class: 'quiet' }, hint),
      fields,
    ),
    read: () => {
      const chosen = choices.filter((_, index) => boxes[index].checked).map(([value]) => value)
      return chosen.length === 0 ? undefined : chosen
    },
  }
}

/** Values with their texts; `undefined` where there is no choice. */
function choicesOf({ enum: values, enumNames, oneOf, anyOf }) {
  if (Array.isArray(values))
    return values.map((it, index) => [it, String(enumNames?.[index] ?? it)])
  const titled = oneOf ?? anyOf
  if (
    !Array.isArray(titled) ||
    !titled.every((it) => it !== null && typeof it === 'object' && 'const' in it)
  )
    return undefined
  return titled.map((it) => [it.const, String(it.title ?? it.const)])
}

function parsed(label, text) {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new FormError(`${label}: ${error instanceof Error ? error.message : 'no JSON'}`)
  }
}

function tryRead(form) {
  try {
    return form.read()
  } catch {
    return {}
  }
}
