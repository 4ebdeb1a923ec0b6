// Whether the gateway has become slower beside the bare proxy, or beside itself: by CPU per call alone, since the clock of a
// shared machine says little, and in wide bands.
import { verdicts } from './musts.mjs'

/** A figure may be so much worse than that of docs/performance.md: machines that are shared go up and down by a third. */
const BAND = 1.5

/** The ratios that the guard compares, by key. */
export function guardedRatios(results) {
  return Object.fromEntries(
    verdicts(results)
      .filter(({ cpu }) => cpu !== undefined)
      .map(({ key, cpu }) => [key, Number(cpu.toPrecision(3))]),
  )
}

/** Whether a measured must is worse than it may be, beside the same ratio of docs/performance.md. */
function isWorse({ key, cpu, atLeast, isReached }, baseline) {
  if (key === 'upstream') return !isReached
  return atLeast === undefined
    ? cpu > limit(baseline[key], atLeast)
    : cpu < limit(baseline[key], atLeast)
}

function limit(before, atLeast) {
  return atLeast === undefined ? before * BAND : before / BAND
}

/**
 * What one run says, a row for each ratio. `isSuspect` tells which are worse, `parts` what to measure again to be sure of one.
 */
export function compare(results, baseline) {
  return verdicts(results)
    .filter(({ key }) => baseline[key] !== undefined || key === 'upstream')
    .map((must) => {
      const { key, work, relation, decisive, atLeast, parts } = must
      const before = baseline[key] ?? 0
      const allowed = `${atLeast === undefined ? '≤' : '≥'} ${limit(before, atLeast).toFixed(2)}`
      const isSuspect = isWorse(must, baseline)
      return { key, parts, work, relation, before, allowed, now: decisive, isSuspect }
    })
}

export function guardTable(rows) {
  return {
    title: 'Beside docs/performance.md',
    columns: ['Work', 'Ratio', 'There', 'Allowed', 'Now', 'Holds'],
    rows: rows.map(({ work, relation, before, allowed, now, isSuspect }) => [
      work,
      relation,
      before,
      allowed,
      now.toFixed(3),
      isSuspect ? '**worse**' : 'yes',
    ]),
  }
}
