/**
 * Members that come and go by the thousand, in no order. A Set does the same, but V8 replaces its table every few dozen
 * additions, and each old table holds on to the next one and to what was in it: all of it grows old, and collecting
 * it cost a fifth of what the gateway can do (`npm run bench`, Node 20).
 */
interface Link<T> {
  member: T | undefined
  before: Link<T> | undefined
  after: Link<T> | undefined
}

export class Members<T> {
  #first: Link<T> | undefined

  /** Returns the way to take it out again, which may be called more than once. */
  add(member: T): () => void {
    const link: Link<T> = { member, before: undefined, after: this.#first }
    if (this.#first !== undefined) this.#first.before = link
    this.#first = link
    return () => {
      if (link.member === undefined) return
      link.member = undefined
      if (link.before === undefined) this.#first = link.after
      else link.before.after = link.after
      if (link.after !== undefined) link.after.before = link.before
      // An old link must not hold younger ones.
      link.before = undefined
      link.after = undefined
    }
  }

  /** All members now; those that leave meanwhile are passed over. */
  forEach(visit: (member: T) => void): void {
    const members: Link<T>[] = []
    for (let link = this.#first; link !== undefined; link = link.after) members.push(link)
    for (const { member } of members) if (member !== undefined) visit(member)
  }
}
