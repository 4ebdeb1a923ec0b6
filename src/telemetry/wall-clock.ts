/** The time of day by the clock that durations are measured with: reading both for each request costs twice as much. */
const CHECK_MS = 500

let offset = Date.now() - performance.now()
let checkedAt = performance.now()

/** Whole milliseconds since the epoch, for what `performance.now` said just now. Follows a clock that is set within a moment. */
export function timeOfDay(now: number): number {
  if (now - checkedAt >= CHECK_MS) {
    offset = Date.now() - now
    checkedAt = now
  }
  return Math.floor(offset + now)
}
