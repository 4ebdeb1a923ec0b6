/**
 * Who waits for something scarce, party by party: the parties take turns, so that one with a thousand waiting holds up
 * another with one by a single turn. Within a party it is first come, first served.
 */
export class Turns<T> {
  /** In the order of their turns; none is empty. */
  readonly #parties = new Map<string, Set<T>>()

  /** Returns the way to stop waiting, which may be called more than once. */
  add(party: string, item: T): () => void {
    const items = this.#parties.get(party)
    if (items === undefined) this.#parties.set(party, new Set([item]))
    else items.add(item)
    return () => this.#remove(party, item)
  }

  /** Takes the one whose turn it is; `undefined` where nobody waits. */
  next(): T | undefined {
    const [turn] = this.#parties
    if (turn === undefined) return undefined
    const [party, items] = turn
    const [item] = items
    this.#parties.delete(party)
    if (item === undefined) return undefined
    items.delete(item)
    if (items.size > 0) this.#parties.set(party, items)
    return item
  }

  /** Takes the newest of the party that has the most waiting; `undefined` where none has more than so many. */
  pushOut(fairShare: number): T | undefined {
    let greediest = ''
    let most = fairShare
    for (const [party, { size }] of this.#parties) {
      if (size > most) [greediest, most] = [party, size]
    }
    const item = [...(this.#parties.get(greediest) ?? [])].at(-1)
    if (item !== undefined) this.#remove(greediest, item)
    return item
  }

  #remove(party: string, item: T): void {
    const items = this.#parties.get(party)
    items?.delete(item)
    if (items?.size === 0) this.#parties.delete(party)
  }
}
