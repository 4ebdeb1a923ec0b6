/** What a server asks of a client, made fit for a client that sees one server where there are many. */
import type { RawObject } from '../backends/index.js'
import { withMembers } from '../backends/index.js'
import type { FederationSettings } from './settings.js'

/**
 * Says in an elicitation who asks, since clients can only name the gateway, and keeps a sampling request from
 * drawing on the context of other servers.
 */
export function forClient(
  method: string,
  params: RawObject,
  target: string,
  settings: FederationSettings,
): RawObject {
  if (method === 'elicitation/create' && settings.attribution) return attributed(params, target)
  if (method !== 'sampling/createMessage' || settings.includeContext !== 'none') return params
  const { includeContext } = params.value
  if (includeContext === undefined || includeContext === 'none') return params
  return withMembers(params, { includeContext: '"none"' })
}

function attributed(params: RawObject, target: string): RawObject {
  const { message } = params.value
  if (typeof message !== 'string') return params
  return withMembers(params, { message: JSON.stringify(`[${target}] ${message}`) })
}
