/**
 * Ids of servers' requests as clients see them. Each is sealed around where its answer belongs, so the answer can be
 * delivered by any process that has the key, and by none for another session.
 */
import type { ReplyTo, RequestId } from '../../backends/index.js'
import { Sealer } from './sealing.js'
import type { Session } from './session.js'

interface Sealed {
  readonly uid: string
  readonly replyTo: ReplyTo
  readonly place?: string
}

export class ReplyTokens {
  readonly #sealer: Sealer
  readonly #place: string | undefined

  /** `place`: where other processes reach this one. */
  constructor(keys: readonly Buffer[], place?: string) {
    this.#sealer = new Sealer(keys, 'server request')
    this.#place = place
  }

  seal({ seed }: Session, replyTo: ReplyTo): string {
    return this.#sealer.seal(JSON.stringify({ uid: seed.uid, replyTo, place: this.#place }))
  }

  /** `undefined` for an id that is not ours, or belongs to another session. */
  open(session: Session, id: RequestId): ReplyTo | undefined {
    return this.#read(session, id)?.replyTo
  }

  /** Where the process is reached that passed the request on; `undefined` where it said nothing of that. */
  placeOf(session: Session, id: RequestId): string | undefined {
    return this.#read(session, id)?.place
  }

  #read({ seed }: Session, id: RequestId): Sealed | undefined {
    const text = typeof id === 'string' ? this.#sealer.open(id) : undefined
    if (text === undefined) return undefined
    // Authenticated by the seal: it is what `seal` wrote.
    const sealed = JSON.parse(text) as Sealed
    return sealed.uid === seed.uid ? sealed : undefined
  }
}
