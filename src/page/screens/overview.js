/** How it is now, and how it was over the last hour. */
import { chart } from '../lib/chart.js'
import { h, name, refill, theirs } from '../lib/dom.js'
import { ago, count, dateTime, duration, rate, share } from '../lib/format.js'
import { figure, serverOf, state, table } from '../lib/parts.js'

/** @param {import('../app.js').Context} context @returns {import('../app.js').Screen} */
export function overview({ api }) {
  const element = h('div')
  return {
    element,
    everyMs: 5_000,
    async refresh() {
      const [status, history] = await Promise.all([api.get('status'), api.get('history')])
      refill(element, cards(status), charts(history), health(status), sources(status))
    },
  }
}

function cards({ traffic, targets, sessions, version, startedAt, denials }) {
  const { lastMinute, lastHour } = traffic
  const [failedNow, failed] = [lastMinute.outcomes.failed, lastHour.outcomes.failed]
  return h(
    'div',
    { class: 'cards' },
    figure(
      'Requests',
      `${rate((lastMinute.count * 1_000) / lastMinute.spanMs)} /s`,
      `${count(lastHour.count)} in the last hour`,
    ),
    figure(
      'Errors',
      share(failedNow, lastMinute.count),
      `${share(failed, lastHour.count)} in the last hour`,
    ),
    figure('Latency (p95)', duration(lastMinute.p95), `${duration(lastHour.p95)} in the last hour`),
    figure(
      'Gateway’s share (p95)',
      duration(lastMinute.gateway.p95),
      `${duration(lastHour.gateway.p95)} in the last hour`,
    ),
    figure(
      'Backends',
      `${targets.up} of ${targets.total}`,
      targets.down.length === 0 ? 'all can be used' : 'the others cannot be used',
    ),
    figure('Sessions', count(sessions.legacy), `${count(sessions.modern)} callers without one`),
    figure('Denied', count(denials), h('a', { href: '#denied' }, 'who, what and why')),
    figure('Version', version, `since ${dateTime(startedAt)}`),
  )
}

function charts({ slotMs, slots: all }) {
  // What is going on counts for the time that it has had, which says nothing yet.
  const slots = all.slice(0, -1)
  const times = slots.map((it) => it.at)
  const perSecond = (of) => slots.map((it) => (of(it) * 1_000) / slotMs)
  return h(
    'div',
    { class: 'charts' },
    chart(
      'Requests per second',
      [{ name: 'requests', values: perSecond((it) => it.count) }],
      times,
      rate,
    ),
    chart(
      'Wrong, per second',
      [
        { name: 'failed', values: perSecond((it) => it.outcomes.failed) },
        {
          name: 'denied or limited',
          values: perSecond((it) => it.outcomes.denied + it.outcomes.limited),
        },
      ],
      times,
      rate,
    ),
    chart(
      'Latency',
      [
        { name: 'p50', values: slots.map((it) => it.p50) },
        { name: 'p95', values: slots.map((it) => it.p95) },
        { name: 'the gateway, p95', values: slots.map((it) => it.gateway.p95) },
      ],
      times,
      duration,
    ),
  )
}

function health({ targets: { down } }) {
  if (down.length === 0) return undefined
  const rows = down.map(({ target, variant, reason }) => [
    name(serverOf({ target, variant })),
    state('unreachable'),
    theirs(reason),
  ])
  return table('Backends that cannot be used', ['Backend', 'State', 'Why'], rows)
}

function sources({ sources: watched }) {
  if (watched.length === 0) return undefined
  const rows = watched.map(({ source, ready, reason, since }) => [
    name(source),
    state(ready ? (reason === undefined ? 'ready' : 'incomplete') : 'connecting'),
    theirs(reason ?? ''),
    since ? ago(since) : '',
  ])
  return table('Where backends are looked for', ['Source', 'State', 'Why', 'Since'], rows)
}
