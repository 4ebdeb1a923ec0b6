import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 5

/** Waits for a condition that no event announces. Rejects, naming it, where it does not come true. */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 15_000,
): Promise<void> {
  const until = Date.now() + timeoutMs
  while (!(await condition())) {
    if (Date.now() > until) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`)
    await sleep(POLL_MS)
  }
}

const STILL_MS = 300

/** Waits until a figure that grows has stopped growing. */
export async function waitUntilStill(figure: () => number): Promise<void> {
  let before = NaN
  let since = Date.now()
  await waitUntil(() => {
    const now = figure()
    if (now !== before) since = Date.now()
    before = now
    return Date.now() - since > STILL_MS
  }, 'a figure to stand still')
}
