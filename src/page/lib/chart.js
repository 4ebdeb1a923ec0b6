/** Lines over time, as SVG: told apart by their dashes as well as their colours, and said in words for who cannot see. */
import { h, s } from './dom.js'
import { time } from './format.js'

const WIDTH = 480
const HEIGHT = 140
const LEFT = 52
const BOTTOM = 18

/**
 * @param {string} title
 * @param {{ name: string, values: (number | undefined)[] }[]} series
 * @param {number[]} times Of each value, in milliseconds.
 * @param {(value: number) => string} format
 */
export function chart(title, series, times, format) {
  const known = series.flatMap(({ values }) =>
    values.filter((it) => it !== undefined && it !== null),
  )
  const top = niceCeiling(Math.max(0, ...known))
  const x = (index) => LEFT + (index / Math.max(1, times.length - 1)) * (WIDTH - LEFT - 4)
  const y = (value) => 6 + (1 - value / top) * (HEIGHT - BOTTOM - 6)
  const words = series.map(({ name, values }) => {
    const present = values.filter((it) => it !== undefined && it !== null)
    if (present.length === 0) return `${name}: nothing`
    return `${name}: ${format(present.at(-1) ?? 0)} now, at most ${format(Math.max(...present))}`
  })
  const picture = s(
    'svg',
    {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      role: 'img',
      'aria-label': `${title}. ${words.join('; ')}`,
    },
    [0, 0.5, 1].map((part) => [
      s('line', { class: 'axis', x1: LEFT, x2: WIDTH - 4, y1: y(top * part), y2: y(top * part) }),
      s('text', { x: LEFT - 6, y: y(top * part) + 4, 'text-anchor': 'end' }, format(top * part)),
    ]),
    s('text', { x: LEFT, y: HEIGHT - 3 }, time(times[0] ?? 0)),
    s('text', { x: WIDTH - 4, y: HEIGHT - 3, 'text-anchor': 'end' }, time(times.at(-1) ?? 0)),
    series.map(({ values }, index) =>
      s('path', { class: `line line-${index + 1}`, d: pathOf(values, x, y) }),
    ),
  )
  const legend = series.map(({ name }, index) =>
    h(
      'li',
      {},
      s(
        'svg',
        { viewBox: '0 0 26 10', 'aria-hidden': 'true' },
        s('path', { class: `line line-${index + 1}`, d: 'M0 5h26' }),
      ),
      ` ${name}`,
    ),
  )
  return h(
    'figure',
    { class: 'card chart' },
    h('h3', {}, title),
    picture,
    h('ul', { class: 'legend' }, legend),
  )
}

/** Where there is no value the line breaks; a lone one is a dot. */
function pathOf(values, x, y) {
  let path = ''
  let isDown = false
  for (const [index, value] of values.entries()) {
    if (value === undefined || value === null) isDown = false
    else {
      path += isDown
        ? `L${x(index).toFixed(1)} ${y(value).toFixed(1)}`
        : `M${x(index).toFixed(1)} ${y(value).toFixed(1)}h1`
      isDown = true
    }
  }
  return path
}

/** A round figure not below this one. */
function niceCeiling(value) {
  if (!(value > 0)) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power
}
