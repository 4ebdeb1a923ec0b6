/** Random ids, a few hundred of them made at once: one alone costs as much as the rest of what a trace costs a call. */
import { randomFillSync } from 'node:crypto'

const TRACE_BYTES = 16
const SPAN_BYTES = 8

const pool = Buffer.alloc(4_096)
let used = pool.length

/** 32 digits of hex. */
export function newTraceId(): string {
  return next(TRACE_BYTES)
}

/** 16 digits of hex. */
export function newSpanId(): string {
  return next(SPAN_BYTES)
}

function next(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const id = pool.toString('hex', used, used + bytes)
  used += bytes
  // All zeros is no id (W3C trace context); these are few enough to be passed over.
  return id.startsWith('00000000') ? next(bytes) : id
}
