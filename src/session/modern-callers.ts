/**
 * Callers of 2026-07-28. They have no session, but servers of the 2025 era know them by one: all requests of one
 * principal that can be asked for the same share it.
 */
import { LRUCache } from 'lru-cache'
import type { Caller, JsonObject, LogLevel, SubjectToken } from '../../backends/index.js'
import { isWantedLevel } from '../../backends/index.js'

const MAX_CALLERS = 10_000

type ModernCaller = Caller & {
  logLevel: LogLevel | undefined
  subject: SubjectToken | undefined
}

export class ModernCallers {
  readonly #callers: LRUCache<string, ModernCaller>
  readonly #sweep: NodeJS.Timeout

  /** `onReleased` hears the key of every caller that was idle for so long. */
  constructor(idleMs: number, onReleased: (key: string) => void) {
    this.#callers = new LRUCache({
      max: MAX_CALLERS,
      ttl: idleMs,
      updateAgeOnGet: true,
      dispose: (_caller, key) => onReleased(key),
    })
    this.#sweep = setInterval(() => this.#callers.purgeStale(), idleMs).unref()
  }

  /** `subject` is what this request shows. */
  of(principal: string, capabilities: JsonObject, subject: SubjectToken | undefined): ModernCaller {
    const key = `modern ${principal} ${JSON.stringify(capabilities)}`
    const known = this.#callers.get(key)
    if (known !== undefined) {
      known.subject = subject
      return known
    }
    const caller: ModernCaller = {
      era: 'modern',
      key,
      principal,
      capabilities,
      logLevel: undefined,
      subject,
      // What belongs to no request has nowhere to go.
      notify: () => undefined,
    }
    this.#callers.set(key, caller)
    return caller
  }

  get size(): number {
    return this.#callers.size
  }

  close(): void {
    clearInterval(this.#sweep)
    this.#callers.clear()
  }
}

/** Whether a caller's servers have to become more talkative for a request of this level. */
export function isMoreTalkative(level: LogLevel, { logLevel }: Caller): boolean {
  return logLevel === undefined || !isWantedLevel(level, logLevel)
}
