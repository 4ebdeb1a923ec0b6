/** What a server asks of a client, made fit for a client that sees one server where there are many. */
import type { RawObject, ServerRequest } from '../backends/index.js'
import { withMembers } from '../backends/index.js'
import type { FederationSettings } from './settings.js'

/**
 * Says in an elicitation who asks, since clients can only name the gateway, and keeps a sampling request from
 * drawing on the context of other servers.
 */
export function forClient(request: ServerRequest, settings: FederationSettings): ServerRequest {
  const { method, params, replyTo } = request
  if (method === 'elicitation/create' && settings.attribution) {
    return { ...request, params: attributed(params, replyTo.target) }
  }
  if (method === 'sampling/createMessage' && settings.includeContext === 'none') {
    const { includeContext } = params.value
    if (includeContext === undefined || includeContext === 'none') return request
    return { ...request, params: withMembers(params, { includeContext: '"none"' }) }
  }
  return request
}

function attributed(params: RawObject, target: string): RawObject {
  const { message } = params.value
  if (typeof message !== 'string') return params
  return withMembers(params, { message: JSON.stringify(`[${target}] ${message}`) })
}
