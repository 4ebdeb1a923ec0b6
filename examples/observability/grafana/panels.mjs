// Kinds of panels: what Grafana wants to be told of each, beyond its title, its question and its queries.

export const DATASOURCE = { type: 'prometheus', uid: '${DS_PROMETHEUS}' }

export const panel = (type, title, description, unit, queries, more = {}) => ({
  type,
  title,
  description,
  datasource: DATASOURCE,
  targets: queries.map((it, index) => ({
    refId: String.fromCodePoint(65 + index),
    datasource: DATASOURCE,
    ...it,
  })),
  fieldConfig: { defaults: { unit, min: 0, ...more.defaults }, overrides: more.overrides ?? [] },
  options: more.options ?? {},
  ...(more.transformations ? { transformations: more.transformations } : {}),
  width: more.width ?? 8,
  height: more.height ?? 8,
})

/** Values that are bad from some point on. */
export const steps = (...from) => ({
  mode: 'absolute',
  steps: ['green', 'yellow', 'red'].map((color, index) => ({
    color,
    value: index === 0 ? null : (from[index - 1] ?? from.at(-1)),
  })),
})
export const stat = (title, description, unit, query, more = {}) =>
  panel('stat', title, description, unit, [query], {
    width: 4,
    height: 4,
    options: { colorMode: 'value', graphMode: 'area', reduceOptions: { calcs: ['lastNotNull'] } },
    ...more,
  })
export const lines = (title, description, unit, queries, more = {}) =>
  panel('timeseries', title, description, unit, queries, {
    options: {
      legend: { displayMode: 'table', placement: 'bottom', calcs: ['mean', 'lastNotNull'] },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
    ...more,
    defaults: { custom: { fillOpacity: 8, showPoints: 'never', ...more.custom }, ...more.defaults },
  })
export const STACKED = { custom: { fillOpacity: 40, stacking: { mode: 'normal', group: 'A' } } }
export const states = (title, description, query, mappings, more = {}) =>
  panel('state-timeline', title, description, 'none', [query], {
    options: { showValue: 'never', legend: { displayMode: 'list', placement: 'bottom' } },
    ...more,
    defaults: {
      noValue: 'nothing to show',
      mappings: [
        {
          type: 'value',
          options: Object.fromEntries(
            Object.entries(mappings).map(([value, [text, color]]) => [value, { text, color }]),
          ),
        },
      ],
    },
  })
/** Names of columns, by what the merged queries call them; the rest is hidden. */
export const table = (title, description, queries, columns, more = {}) =>
  panel('table', title, description, 'none', queries, {
    ...more,
    width: more.width ?? 24,
    height: 9,
    options: { cellHeight: 'sm', footer: { show: false }, sortBy: more.sortBy ?? [] },
    transformations: [
      { id: 'merge', options: {} },
      { id: 'filterFieldsByName', options: { include: { names: Object.keys(columns) } } },
      { id: 'organize', options: { renameByName: columns } },
    ],
    overrides: Object.entries(more.units ?? {}).map(([name, unit]) => ({
      matcher: { id: 'byName', options: name },
      properties: [{ id: 'unit', value: unit }],
    })),
  })
