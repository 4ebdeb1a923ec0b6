/** Resources that a session follows: what it asked for, and where, so that it goes along when others come to serve it. */
import type { Caller, JsonObject, RawObject } from '../../backends/index.js'
import { RawJson } from '../../backends/index.js'
import type { Permit, VirtualServer } from '../../federation/index.js'
import type { Session } from '../session/session.js'

/** @throws as `VirtualServer.subscribe` */
export async function follow(
  server: VirtualServer,
  session: Session,
  params: RawObject,
  permit: Permit | undefined,
): Promise<RawObject> {
  const result = await server.subscribe(session.caller, params, permit)
  const { uri } = params.value
  if (typeof uri === 'string') (session.follows ??= new Map()).set(uri, server)
  return result
}

/** @throws as `VirtualServer.unsubscribe` */
export async function unfollow(
  server: VirtualServer,
  session: Session,
  params: RawObject,
  permit: Permit | undefined,
): Promise<RawObject> {
  const { uri } = params.value
  if (typeof uri === 'string') session.follows?.delete(uri)
  return server.unsubscribe(session.caller, params, permit)
}

/** Goes on following what the session follows at the server that it has now. What is not there is followed no more. */
export function followThere(
  session: Session,
  server: VirtualServer,
  permit: Permit | undefined,
): void {
  const { follows, caller } = session
  if (follows === undefined) return
  for (const [uri, before] of follows) {
    if (before === server) continue
    follows.set(uri, server)
    moveOne(uri, before, server, caller, permit).catch(() => {
      if (follows.get(uri) === server) follows.delete(uri)
    })
  }
}

/** @throws as `VirtualServer.subscribe`: the resource is not there, or not for this caller */
export async function moveOne(
  uri: string,
  before: VirtualServer,
  now: VirtualServer,
  caller: Caller,
  permit: Permit | undefined,
): Promise<void> {
  const params = RawJson.fromValue<JsonObject>({ uri })
  // Whether the other still hears that nobody follows matters to nobody: it may be what failed.
  await before.unsubscribe(caller, params, permit).catch(() => undefined)
  await now.subscribe(caller, params, permit)
}
