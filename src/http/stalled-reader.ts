/** Cuts clients off that take nothing of what waits for them: what waits is memory, for as long as they please. */
import type { ServerResponse } from 'node:http'

/** Longer than streams are silent. A client that takes anything at all within it is slow, and not stuck. */
const STALLED_MS = 20_000
/** Less is not worth a timer: so much waits for every request that is answered. */
const LARGE_BYTES = 128 * 1024

/** From now on, where much waits. Node begins the time anew with each part that is taken, and ends it with the answer. */
export function cutWhenStalled(response: ServerResponse): void {
  if (response.writableLength < LARGE_BYTES) return
  response.setTimeout(STALLED_MS, () => response.destroy())
}
