/** A virtual server as one session is served by it: of targets with variants, by those that were chosen for the session. */
import type { IncomingMessage } from 'node:http'
import { notificationText } from '../../backends/index.js'
import type { Choice, Permit, VirtualServer } from '../../federation/index.js'
import type { Principal } from '../auth/principal.js'
import type { Session } from '../session/session.js'
import type { Variants } from '../variants/variants.js'
import { followThere } from './followed.js'

/** The server as the session has it. What the session follows is followed there. */
export function serverIn(
  session: Session,
  server: VirtualServer,
  variants: Variants,
  principal: Principal,
  request: IncomingMessage,
  permit: Permit | undefined,
): VirtualServer {
  if (variants.isIdle) return server
  const choice = variants.forSession(session, { principal, request, client: session.seed.client })
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
