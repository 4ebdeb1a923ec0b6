/** `/api/v1/sessions`: who is connected. The id of a session is a key to it, so it is nowhere here. */
import type { ModernCallers } from '../session/modern-callers.js'
import type { SessionStore } from '../session/session-store.js'

const MAX_SHOWN = 500
const MAX_TEXT = 128

export function sessionsReport(sessions: SessionStore, callers: ModernCallers): object {
  const shown: object[] = []
  for (const session of sessions) {
    if (shown.length === MAX_SHOWN) break
    const { createdAt, protocolVersion, server, principal, client, capabilities } = session.seed
    const { choice } = session.chosen
    shown.push({
      session: session.shownId,
      since: new Date(createdAt).toISOString(),
      idleMs: Math.round(session.idleMs),
      protocolVersion,
      server,
      principal,
      client: {
        name: client.name.slice(0, MAX_TEXT),
        version: client.version.slice(0, MAX_TEXT),
      },
      capabilities: Object.keys(capabilities).slice(0, MAX_TEXT),
      running: session.running,
      isHeard: session.isHeard,
      ...(choice.size === 0 ? {} : { variants: Object.fromEntries(choice) }),
    })
  }
  return { count: sessions.size, modernCallers: callers.size, sessions: shown }
}
