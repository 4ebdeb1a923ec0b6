/** A virtual server as one session is served by it: of targets with variants, by those that were chosen for the session. */
import type { IncomingMessage } from 'node:http'
import type { RequestId } from '../../backends/index.js'
import { notificationText } from '../../backends/index.js'
import type { Choice, Permit, VirtualServer } from '../../federation/index.js'
import type { Principal } from '../auth/principal.js'
import { RefusedError } from '../http/refusal.js'
import type { Session } from '../session/session.js'
import type { Variants } from '../variants/variants.js'
import { LOST } from '../variants/variants.js'
import { followThere } from './followed.js'

/**
 * The server as the session has it.
 * @throws RefusedError 404 where it was given to another backend than the one that keeps what it needs
 */
export function serverIn(
  session: Session,
  server: VirtualServer,
  variants: Variants,
  principal: Principal,
  request: IncomingMessage,
  permit: Permit | undefined,
  id?: RequestId,
): VirtualServer {
  if (variants.isIdle) return server
  const choice = variants.forSession(session, { principal, request, client: session.seed.client })
  if (choice === LOST) throw noSession(id)
  const own = server.with(choice)
  followThere(session, own, permit)
  return own
}

/** Tells the client of each list that it sees changed, whoever serves it then. Returns the way to stop. */
export function toldOfLists(
  session: Session,
  server: VirtualServer,
  variants: Variants,
  principal: Principal,
  request: IncomingMessage,
  permit: Permit | undefined,
): () => void {
  const choice = (): Choice | undefined => {
    const asker = { principal, request, client: session.seed.client }
    const chosen = variants.forSession(session, asker)
    if (chosen === LOST) return undefined
    followThere(session, server.with(chosen), permit)
    return chosen
  }
  return server.onListChanged(
    (changed) => {
      for (const kind of changed) {
        session.notify(notificationText(`notifications/${kind}/list_changed`))
      }
    },
    permit,
    choice,
  )
}

/** What a client reads of a session that is not there; it begins anew then. */
export function noSession(id: RequestId | undefined): RefusedError {
  return new RefusedError(404, 'there is no such session; begin anew with "initialize"', { id })
}
