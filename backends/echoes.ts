/**
 * What is said on several streams at once, told once. While one stream takes over from another, a server says the same
 * on both, at different speeds; which of two is an echo cannot be told. The stream that said a thing first leads for it,
 * the others' word waits: until the leader says the same, or ends without having done so.
 */
export class Echoes<S, M> {
  readonly #tell: (message: M) => void
  readonly #leads = new Map<string, { readonly leader: S; waiting?: { from: S; message: M } }>()

  constructor(tell: (message: M) => void) {
    this.#tell = tell
  }

  /** `key` is the same for messages that say the same. */
  hear(stream: S, key: string, message: M): void {
    const lead = this.#leads.get(key)
    if (lead !== undefined && lead.leader !== stream) {
      lead.waiting = { from: stream, message }
      return
    }
    this.#leads.set(key, { leader: stream })
    this.#tell(message)
  }

  /** A stream has ended: what waited for its word is told now. */
  end(stream: S): void {
    for (const [key, { leader, waiting }] of this.#leads) {
      if (leader !== stream && waiting?.from === stream) this.#leads.set(key, { leader })
      if (leader !== stream) continue
      this.#leads.delete(key)
      if (waiting !== undefined) this.hear(waiting.from, key, waiting.message)
    }
  }

  /** There is one stream alone, which cannot have an echo. */
  clear(): void {
    this.#leads.clear()
  }
}
