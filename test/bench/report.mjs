// Results as tables: for the terminal, and for docs/performance.md.
import { BARE } from './contenders.mjs'
import { verdicts } from './musts.mjs'

const KIB = 1024

/** All tables of which there are figures. */
export function tables(results) {
  return [
    mustsTable(results),
    callsTable(results.calls ?? []),
    listsTable(results.lists ?? []),
    ...PLAIN.map(({ key, title, columns }) => plainTable(title, columns, results[key] ?? [])),
  ].filter((it) => it.rows.length > 0)
}

export function markdown({ title, columns, rows }) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [
    `### ${title}`,
    '',
    line(columns),
    line(columns.map(() => '---')),
    ...rows.map(line),
  ].join('\n')
}

function mustsTable(results) {
  const rows = verdicts(results).map((it) => {
    const must = it.atLeast === undefined ? `≤ ${it.atMost}` : `≥ ${it.atLeast}`
    return [
      it.work,
      `${must} ${it.relation}`,
      it.aim ?? '',
      ratio(it.cpu),
      ratio(it.wall),
      it.isReached ? 'yes' : '**no**',
    ]
  })
  return {
    title: 'What it has to reach',
    columns: ['Work', 'Must', 'Aim', 'By CPU', 'By clock', 'Reached'],
    rows,
  }
}

function callsTable(calls) {
  const rows = calls.map((row) => {
    const { era, form, size, connections } = row
    const bare = calls.find(
      (it) =>
        it.contender === BARE &&
        it.era === era &&
        it.form === form &&
        it.size === size &&
        it.connections === connections,
    )
    return [`${bytes(size)} ${form}, ${era}`, connections, ...comparison(row, bare)]
  })
  return { title: 'tools/call', columns: ['Result', 'Connections', ...COMPARISON], rows }
}

function listsTable(lists) {
  const rows = lists.map((row) => {
    const bare = lists.find(
      (it) => it.contender === BARE && it.era === row.era && it.targets === row.targets,
    )
    return [`${row.targets} × ${row.tools}, ${row.era}`, 32, ...comparison(row, bare)]
  })
  return { title: 'tools/list', columns: ['Targets × tools', 'Connections', ...COMPARISON], rows }
}

const COMPARISON = [
  'Contender',
  'calls/s',
  '× bare',
  'CPU µs/call',
  'calls/CPU s × bare',
  'p50 ms',
  'p99 ms',
  'peak MiB',
]

function comparison(row, bare) {
  return [
    row.contender,
    row.callsPerSecond.toFixed(0),
    ratio(row.callsPerSecond / bare?.callsPerSecond),
    row.cpuMicros.toFixed(1),
    ratio(bare?.cpuMicros / row.cpuMicros),
    row.p50.toFixed(3),
    row.p99.toFixed(2),
    row.peakMib.toFixed(0),
  ]
}

/** Tables that show figures as they are: each column a heading and the text of a row. */
const PLAIN = [
  {
    key: 'initialize',
    title: 'initialize, 32 connections',
    columns: [
      ['Backends', (it) => it.backends],
      ['sessions/s', (it) => it.callsPerSecond.toFixed(0)],
      ['CPU µs each', (it) => it.cpuMicros.toFixed(1)],
      ['p50 ms', (it) => it.p50.toFixed(2)],
      ['p99 ms', (it) => it.p99.toFixed(2)],
      ['MiB before', (it) => it.idleMib.toFixed(0)],
      ['requests to servers', (it) => it.upstream],
    ],
  },
  {
    key: 'lookup',
    title: 'tools/call among so many tools, 32 connections',
    columns: [
      ['Tools', (it) => it.tools],
      ['calls/s', (it) => it.callsPerSecond.toFixed(0)],
      ['CPU µs/call', (it) => it.cpuMicros.toFixed(1)],
      ['p50 ms', (it) => it.p50.toFixed(2)],
    ],
  },
  {
    key: 'workers',
    title: 'CPU of a small call, by process',
    columns: [
      ['One process, µs', (it) => it.oneMicros.toFixed(1)],
      ['Two workers: all processes', (it) => it.totalMicros.toFixed(1)],
      ['the busiest', (it) => it.busiestMicros.toFixed(1)],
      ['the one that was started', (it) => it.primaryMicros.toFixed(1)],
      ['Two cores carry × one', (it) => ratio(it.times)],
    ],
  },
  {
    key: 'sizes',
    title: 'Memory while results of a size pass, 1 connection',
    columns: [
      ['Result', (it) => `${bytes(it.size)} ${it.form}`],
      ['Contender', (it) => it.contender],
      ['MiB before', (it) => it.beforeMib.toFixed(0)],
      ['peak MiB', (it) => it.peakMib.toFixed(0)],
    ],
  },
  {
    key: 'sessions',
    title: 'Idle sessions, each with a GET stream',
    columns: [
      ['Sessions', (it) => it.sessions],
      ['KiB each, resident', (it) => it.residentKib.toFixed(1)],
      ['before a collection', (it) => it.uncollectedKib.toFixed(1)],
      ['heap', (it) => it.heapKib.toFixed(1)],
      ['external', (it) => it.externalKib.toFixed(1)],
    ],
  },
  {
    key: 'idleCpu',
    title: 'CPU while nothing happens',
    columns: [
      ['Targets', (it) => it.targets],
      ['Sessions with streams', (it) => it.sessions],
      ['Share of a core', (it) => `${(100 * it.coreShare).toFixed(2)} %`],
      ['over', (it) => `${it.seconds} s`],
    ],
  },
  {
    key: 'startUp',
    title: 'Start, until /readyz answers 200',
    columns: [
      ['Targets', (it) => it.targets],
      ['Tools', (it) => it.tools],
      ['ms', (it) => it.readyMs.toFixed(0)],
      ['CPU s', (it) => it.cpuSeconds.toFixed(2)],
      ['resident MiB', (it) => it.residentMib.toFixed(0)],
    ],
  },
  {
    key: 'storm',
    title: 'A server that keeps saying that its list of 100 tools changed',
    columns: [
      ['Changes/s', (it) => it.changesPerSecond.toFixed(0)],
      ['Sessions', (it) => it.sessions],
      ['over', (it) => `${it.seconds} s`],
      ['Lists read', (it) => it.lists],
      ['Told each session', (it) => it.toldPerSession.toFixed(1)],
      ['Share of a core', (it) => `${(100 * it.coreShare).toFixed(1)} %`],
    ],
  },
]

function plainTable(title, columns, rows) {
  return {
    title,
    columns: columns.map(([heading]) => heading),
    rows: rows.map((row) => columns.map(([, text]) => String(text(row)))),
  }
}

function ratio(value) {
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))) : ''
}

function bytes(size) {
  if (size < KIB) return `${size} B`
  return size < KIB * KIB ? `${size / KIB} KiB` : `${size / KIB / KIB} MiB`
}
