/**
 * Asks a server now and then whether it is there. One that keeps no stream, or whose host vanished without a word, shows
 * only when asked.
 */

/** Asks again only once the last answer has come, or did not. Returns the way to end it. */
export function askNowAndThen(ask: () => Promise<void>, intervalMs: number): () => void {
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  const next = (): void => {
    if (!isOver) timer = setTimeout(() => void ask().finally(next), intervalMs).unref()
  }
  next()
  return () => {
    isOver = true
    clearTimeout(timer)
  }
}
