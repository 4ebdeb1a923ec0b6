/** When a server wants to be asked again (RFC 9110 §10.2.3). */

/** Seconds, or a date → milliseconds from now; `undefined` where it says neither. */
export function retryAfterMs(text: string | undefined, now = Date.now()): number | undefined {
  if (text === undefined) return undefined
  if (/^\s*\d{1,9}\s*$/.test(text)) return Number(text) * 1_000
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}
