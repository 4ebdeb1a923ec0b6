/** Opens a legacy session: the answer to `initialize`, over whichever transport it came. */
import type { JsonObject, JsonRpcError, RequestMessage } from '../../backends/index.js'
import { errorText, isJsonObject, resultText } from '../../backends/index.js'
import type { Choice, VirtualServer } from '../../federation/index.js'
import { InvalidParamsError } from '../../federation/index.js'
import type { Principal } from '../auth/principal.js'
import { toJsonRpcError } from '../errors.js'
import type { Session } from '../session/session.js'
import type { SessionStore } from '../session/session-store.js'
import { SessionTooLargeError } from '../session/session-store.js'
import type { RequestObserver } from '../telemetry/observation.js'
import { Speaker } from '../telemetry/speaker.js'
import { initializeResult } from './legacy.js'

export interface Opening {
  /** The JSON-RPC response. */
  readonly answer: string
  /** Absent where the request was refused. */
  readonly opened?: { readonly session: Session; readonly token: string }
  /** Where it was. */
  readonly error?: JsonRpcError
}

/** Opens one as the request asks, of a server as `choice` has it; `negotiate` answers the version that the client asks for with the one to speak. */
export function openSession(
  message: RequestMessage,
  server: VirtualServer,
  serverName: string,
  principal: Principal,
  sessions: SessionStore,
  negotiate: (asked: string) => string,
  observation: RequestObserver,
  choice: Choice | undefined,
): Opening {
  const it = opening(message, server, serverName, principal, sessions, negotiate, choice)
  const { answer, opened, error } = it
  if (opened !== undefined) observation.spokenBy(speakerOf(opened.session))
  if (error === undefined) observation.succeeded(answer)
  else observation.failed(error, error.rpcCode, answer)
  return it
}

/** Who speaks in a session. */
export function speakerOf(session: Session): Speaker {
  const { protocolVersion, client } = session.seed
  return (session.speaker ??= new Speaker('legacy', protocolVersion, client, session.shownId))
}

/** What a client calls itself as it opens a session. */
export function clientOf({ params }: RequestMessage): { name: string; version: string } {
  const { clientInfo } = params.value
  return clientIdentity(isJsonObject(clientInfo) ? clientInfo : {})
}

function opening(
  { id, params }: RequestMessage,
  server: VirtualServer,
  serverName: string,
  principal: Principal,
  sessions: SessionStore,
  negotiate: (asked: string) => string,
  choice: Choice | undefined,
): Opening {
  const { protocolVersion: asked, capabilities, clientInfo } = params.value
  try {
    if (typeof asked !== 'string' || !isJsonObject(capabilities) || !isJsonObject(clientInfo)) {
      throw new InvalidParamsError(
        '"protocolVersion", "capabilities" and "clientInfo" are required',
      )
    }
    const self = server.describe('legacy')
    const protocolVersion = negotiate(asked)
    const opened = sessions.create({
      protocolVersion,
      server: serverName,
      principal: principal.id,
      client: clientIdentity(clientInfo),
      capabilities,
      promised: Object.keys(self.capabilities),
      ...(choice === undefined ? {} : { variants: [...choice] }),
    })
    return { answer: resultText(id, initializeResult(self, protocolVersion)), opened }
  } catch (error) {
    const isRefusal = error instanceof InvalidParamsError || error instanceof SessionTooLargeError
    if (!isRefusal) throw error
    const shown = toJsonRpcError(error)
    return { answer: errorText(id, shown), error: shown }
  }
}

/** Of what a client says of itself, what fits into a session id. */
function clientIdentity({ name, version }: JsonObject): { name: string; version: string } {
  return { name: shortString(name), version: shortString(version) }
}

function shortString(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 128) : ''
}
