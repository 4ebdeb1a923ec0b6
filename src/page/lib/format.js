/** Figures and times, as people read them. */
const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium', hourCycle: 'h23' })
const DATE_TIME = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })
const COUNT = new Intl.NumberFormat()

/** @param {number | undefined} ms */
export function duration(ms) {
  if (ms === undefined || ms === null) return '–'
  if (ms < 10) return `${ms.toFixed(1)} ms`
  if (ms < 1_000) return `${Math.round(ms)} ms`
  return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`
}

export function count(value) {
  return COUNT.format(value ?? 0)
}

/** So many of so many, in per cent. */
export function share(part, whole) {
  if (!whole) return '–'
  const percent = (100 * part) / whole
  return `${percent === 0 || percent >= 10 ? Math.round(percent) : percent.toFixed(1)} %`
}

export function rate(perSecond) {
  return perSecond >= 10 ? String(Math.round(perSecond)) : perSecond.toFixed(perSecond < 1 ? 2 : 1)
}

export function time(at) {
  return TIME.format(new Date(at))
}

export function dateTime(at) {
  return DATE_TIME.format(new Date(at))
}

/** How long ago, roughly. */
export function ago(at, now = Date.now()) {
  const seconds = Math.max(0, Math.round((now - new Date(at).getTime()) / 1_000))
  if (seconds < 60) return `${seconds} s ago`
  const minutes = Math.round(seconds / 60)
  if (minutes < 90) return `${minutes} min ago`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} h ago` : `${Math.round(hours / 24)} days ago`
}
