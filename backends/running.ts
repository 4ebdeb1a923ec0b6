/** What is under way, so that it can be waited for. */
export class Running {
  #count = 0
  #onIdle: () => void = () => undefined

  get count(): number {
    return this.#count
  }

  begin(): void {
    this.#count++
  }

  /** One that had begun has come to its end. */
  end(): void {
    this.#count--
    if (this.#count === 0) this.#onIdle()
  }

  async during<T>(act: () => Promise<T>): Promise<T> {
    this.begin()
    try {
      return await act()
    } finally {
      this.end()
    }
  }

  /** Resolves once nothing is under way, or so many milliseconds later. For one who waits at a time. */
  async idle(deadlineMs: number): Promise<void> {
    if (this.#count === 0) return
    await new Promise<void>((resolve) => {
      const deadline = setTimeout(resolve, deadlineMs)
      this.#onIdle = () => {
        clearTimeout(deadline)
        resolve()
      }
    })
  }
}
