/**
 * Ids of servers' requests as clients see them. Each is sealed around where its answer belongs, so the answer can be
 * delivered by any process that has the key, and by none for another session.
 */
import type { ReplyTo, RequestId } from '../../backends/index.js'
import { Sealer } from './sealing.js'
import type { Session } from './session.js'

export class ReplyTokens {
  readonly #sealer: Sealer

  constructor(keys: readonly Buffer[]) {
    this.#sealer = new Sealer(keys, 'server request')
  }

  seal({ seed }: Session, replyTo: ReplyTo): string {
    return this.#sealer.seal(JSON.stringify({ uid: seed.uid, replyTo }))
  }

  /** `undefined` for an id that is not ours, or belongs to another session. */
  open({ seed }: Session, id: RequestId): ReplyTo | undefined {
    const text = typeof id === 'string' ? this.#sealer.open(id) : undefined
    if (text === undefined) return undefined
    // Authenticated by the seal: it is what `seal` wrote.
    const { uid, replyTo } = JSON.parse(text) as { uid: string; replyTo: ReplyTo }
    return uid === seed.uid ? replyTo : undefined
  }
}
