/** Everything that is served, with its owner and both its names; what is not, and why; and what has changed. */
import { h, name, refill, theirs } from '../lib/dom.js'
import { ago, count, dateTime } from '../lib/format.js'
import { field, json, select, serverOf, table } from '../lib/parts.js'

const KINDS = [
  ['', 'everything'],
  ['tools', 'tools'],
  ['prompts', 'prompts'],
  ['resources', 'resources'],
  ['templates', 'resource templates'],
]
/** Rows at once; a filter finds the others. */
const MAX_ROWS = 300

/** @param {import('../app.js').Context} context @returns {import('../app.js').Screen} */
export function catalog({ api, announce }) {
  let report
  const search = h('input', { type: 'search' })
  const kind = select(KINDS, '')
  const lists = h('div')
  const detail = h('section', { 'aria-label': 'Definition', tabindex: -1 })

  const open = async (item) => {
    const query = new URLSearchParams({
      kind: item.kind,
      target: serverOf(item),
      name: item.original,
    })
    const definition = await api.get(`definition?${query}`)
    refill(
      detail,
      h('h2', {}, 'Definition of ', name(item.exposed)),
      json(definition, 'Definition'),
    )
    detail.focus()
  }
  const draw = () => {
    const words = search.value.toLowerCase().split(/\s+/)
    const matches = report.items.filter((it) => {
      const text = `${it.exposed} ${it.original} ${serverOf(it)} ${it.title ?? ''} ${it.description}`
      const isKind = kind.value === '' || it.kind === kind.value
      return isKind && words.every((word) => text.toLowerCase().includes(word))
    })
    refill(lists, served(matches, open), collisions(report), hidden(report), changes(report))
    return matches.length
  }
  const filter = () => announce(`${draw()} found`)
  search.addEventListener('input', filter)
  kind.addEventListener('change', filter)
  const refresh = async () => {
    report = await api.get('catalog')
    draw()
  }
  const filters = h(
    'form',
    { class: 'filters', role: 'search', onsubmit: (event) => event.preventDefault() },
    field('Search', search),
    field('Kind', kind),
  )
  return {
    element: h('div', {}, filters, detail, lists),
    refresh,
    onEvents: (what) => void (what === 'catalog' ? refresh() : undefined),
  }
}

function served(items, open) {
  const rows = items.slice(0, MAX_ROWS).map((it) => [
    it.kind,
    h(
      'button',
      {
        type: 'button',
        class: 'name',
        'data-key': `${it.kind} ${it.exposed} ${it.variant ?? ''}`,
        onclick: () => open(it),
      },
      theirs(it.exposed),
    ),
    name(serverOf(it)),
    name(it.original),
    [it.title && [theirs(it.title, 'strong'), h('br')], theirs(it.description)],
  ])
  const more =
    items.length > MAX_ROWS
      ? `, the first ${MAX_ROWS} of ${count(items.length)}`
      : ` (${count(items.length)})`
  return table(
    `Served${more}`,
    ['Kind', 'Exposed name', 'Backend', 'Original name', 'Description'],
    rows,
  )
}

function collisions({ collisions: found }) {
  if (found.length === 0) return undefined
  const rows = found.map(({ exposed, targets }) => [
    name(exposed),
    targets.map((it) => [name(it), ' ']),
  ])
  return table('Names that several backends claim; none serves them', ['Name', 'Backends'], rows)
}

function hidden({ hidden: found }) {
  if (found.length === 0) return undefined
  const why = {
    collision: 'several backends claim its name',
    filter: 'include and exclude leave it out',
    guard: 'nobody approved its definition',
  }
  const rows = found
    .slice(0, MAX_ROWS)
    .map((it) => [it.kind, name(it.original), name(serverOf(it)), why[it.because]])
  return table(
    `Offered and not served (${count(found.length)})`,
    ['Kind', 'Original name', 'Backend', 'Why'],
    rows,
  )
}

function changes({ changes: found }) {
  const rows = found.map(({ at, target, change, kind, names, count: many }) => [
    h('time', { datetime: at, title: dateTime(at) }, ago(at)),
    name(target),
    change === 'read' ? 'first read' : change === 'gone' ? 'backend removed' : `${kind} ${change}`,
    change === 'read'
      ? `${count(many)} items`
      : [
          names.flatMap((it) => [name(it), ' ']),
          many > names.length && `and ${many - names.length} more`,
        ],
  ])
  return table('Changes, the newest first', ['When', 'Backend', 'What', 'Names'], rows)
}
