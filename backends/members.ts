/**
 * Members that come and go by the thousand, in no order. A Set does the same, but V8 replaces its table every few dozen
 * additions, and each old table holds on to the next one and to what was in it: all of it grows old, and collecting
 * it cost a fifth of what the gateway can do (`npm run bench`, Node 20).
 */
export class Members<T> {
  /** Stands before the first, so that leaving is the same for all. */
  readonly #head = new Membership<T>(undefined)

  /** Takes a member in, until it leaves. */
  add(member: T): Membership<T> {
    const membership = new Membership<T>(member)
    membership.follow(this.#head)
    return membership
  }

  /** All members now; those that leave meanwhile are passed over. */
  forEach(visit: (member: T) => void): void {
    const memberships: Membership<T>[] = []
    for (let it = this.#head.next; it !== undefined; it = it.next) memberships.push(it)
    for (const { member } of memberships) if (member !== undefined) visit(member)
  }
}

/** One member's place among them. */
export class Membership<T> {
  #member: T | undefined
  #before: Membership<T> | undefined
  #after: Membership<T> | undefined

  constructor(member: T | undefined) {
    this.#member = member
  }

  /** `undefined` for one that has left. */
  get member(): T | undefined {
    return this.#member
  }

  get next(): Membership<T> | undefined {
    return this.#after
  }

  follow(before: Membership<T>): void {
    this.#before = before
    this.#after = before.#after
    if (this.#after !== undefined) this.#after.#before = this
    before.#after = this
  }

  /** May be called more than once. */
  leave(): void {
    if (this.#before === undefined) return
    this.#before.#after = this.#after
    if (this.#after !== undefined) this.#after.#before = this.#before
    // An old one must not hold younger ones.
    this.#member = undefined
    this.#before = undefined
    this.#after = undefined
  }
}
