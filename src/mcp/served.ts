/** A virtual server as one session is served by it: of targets with variants, by those that were chosen for the session. */
import { notificationText } from '../../backends/index.js'
import type { Choice, Permit, VirtualServer } from '../../federation/index.js'
import type { Session } from '../session/session.js'
import type { Variants } from '../variants/variants.js'
import type { Visit } from './endpoint.js'
import { followThere } from './followed.js'

/** A request of the session, at the whole virtual server. */
export type Served = Pick<Visit, 'request' | 'server' | 'principal'>

/** The server as the session has it. What the session follows is followed there. */
export function serverIn(
  session: Session,
  served: Served,
  variants: Variants,
  permit: Permit | undefined,
): VirtualServer {
  if (variants.isIdle) return served.server
  const own = served.server.with(choiceFor(session, served, variants))
  followThere(session, own, permit)
  return own
}

/** Tells the client of each list that it sees changed, whoever serves it then. Returns the way to stop. */
export function toldOfLists(
  session: Session,
  served: Served,
  variants: Variants,
  permit: Permit | undefined,
): () => void {
  const { server } = served
  const choice = (): Choice | undefined => {
    const chosen = choiceFor(session, served, variants)
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

function choiceFor(
  session: Session,
  { request, principal }: Served,
  variants: Variants,
): Choice | undefined {
  return variants.forSession(session, { principal, request, client: session.seed.client })
}
