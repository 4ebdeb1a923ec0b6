/** How many calls each party has among those that came while there were more than can be served at once. */
export class Crowd {
  readonly #counts = new Map<string, number>()

  enter(party: string): void {
    this.#counts.set(party, this.of(party) + 1)
  }

  leave(party: string): void {
    const left = this.of(party) - 1
    if (left > 0) this.#counts.set(party, left)
    else this.#counts.delete(party)
  }

  of(party: string): number {
    return this.#counts.get(party) ?? 0
  }
}
