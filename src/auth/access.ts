/**
 * Who is let in, and what those are told who are not: the gateway as a resource server of OAuth 2.1 (2025-11-25
 * basic/authorization, RFC 6750, RFC 9728).
 */
import type { IncomingMessage } from 'node:http'
import type { JsonObject } from '../../backends/index.js'
import { originOf } from '../http/origin.js'
import { RefusedError } from '../http/refusal.js'
import type { Part } from './authenticator.js'
import { Authenticator, UnauthenticatedError } from './authenticator.js'
import type { Principal } from './principal.js'
import type { AuthorizationSettings } from './policy.js'
import type { AuthenticationSettings } from './settings.js'
import { ToolScopes } from './tool-scopes.js'

interface AccessSettings {
  readonly authentication: AuthenticationSettings
  readonly authorization: AuthorizationSettings
}

/** Where the metadata of a resource is: this, followed by the path of the resource (RFC 9728 §3.1). */
export const METADATA_PATH = '/.well-known/oauth-protected-resource'

export class Access {
  readonly #path: string
  #settings: AuthenticationSettings
  #authenticator: Authenticator
  #toolScopes: ToolScopes

  /** `path` is that of the merged server. */
  constructor({ authentication, authorization }: AccessSettings, path: string) {
    this.#settings = authentication
    this.#authenticator = new Authenticator(authentication)
    this.#toolScopes = new ToolScopes(authorization.toolScopes)
    this.#path = path
  }

  /** Whom to believe from now on. */
  update({ authentication, authorization }: AccessSettings): void {
    this.#settings = authentication
    this.#authenticator = new Authenticator(authentication)
    this.#toolScopes = new ToolScopes(authorization.toolScopes)
  }

  /** Whether any tool needs a scope. */
  get asksForScopes(): boolean {
    return !this.#toolScopes.isEmpty
  }

  /** All scopes that a call of this tool needs, where the principal lacks any of them. */
  lackingScopes(principal: Principal, tool: string): readonly string[] {
    return this.#toolScopes.lacking(principal, tool)
  }

  /**
   * Whether the token of whoever calls a tool reaches as far as that. `onLacking` hears where it does not.
   * @throws RefusedError 403, or 401 where there is no token, with all scopes that are needed
   */
  requireScopes(
    request: IncomingMessage,
    principal: Principal,
    tool: () => string,
    onLacking: (tool: string, scopes: readonly string[]) => void,
  ): void {
    if (!this.asksForScopes) return
    const name = tool()
    const lacking = this.lackingScopes(principal, name)
    if (lacking.length === 0) return
    onLacking(name, lacking)
    const isNobody = principal.kind === 'anonymous'
    const message = `this needs ${lacking.length === 1 ? 'the scope' : 'the scopes'} ${lacking.join(' ')}`
    const error = isNobody ? undefined : 'insufficient_scope'
    throw new RefusedError(isNobody ? 401 : 403, message, this.#challenge(request, error, lacking))
  }

  /** @throws RefusedError 400, 401 or 503 */
  admit(request: IncomingMessage): Principal | Promise<Principal> {
    if (this.#settings.mode === 'off') return this.#authenticator.anonymous
    const refuse = (error: unknown): never => {
      throw error instanceof UnauthenticatedError ? this.#refusal(error, request) : error
    }
    try {
      const admitted = this.#authenticator.authenticate(request, this.#part(request))
      return admitted instanceof Promise ? admitted.catch(refuse) : admitted
    } catch (error) {
      return refuse(error)
    }
  }

  /**
   * What clients are told of how to get a token for what is at this path; `undefined` where there is no such resource,
   * or no token is needed.
   */
  metadata(request: IncomingMessage, path: string): JsonObject | undefined {
    const { mode, jwt, resourceMetadata } = this.#settings
    const isOurs = path === '' || path === this.#path || path.startsWith(`${this.#path}/`)
    if (mode === 'off' || jwt.length === 0 || !isOurs) return undefined
    const { authorizationServers, scopesSupported } = resourceMetadata
    return {
      resource: this.#resource(request, path === '' ? this.#path : path),
      authorization_servers: authorizationServers ?? jwt.map((it) => it.issuer),
      bearer_methods_supported: ['header'],
      ...(scopesSupported.length > 0 ? { scopes_supported: scopesSupported } : {}),
    }
  }

  #refusal({ reason, message }: UnauthenticatedError, request: IncomingMessage): RefusedError {
    switch (reason) {
      case 'malformed':
        return new RefusedError(400, message, this.#challenge(request, 'invalid_request'))
      case 'missing':
        return new RefusedError(401, message, this.#challenge(request))
      case 'invalid':
        return new RefusedError(401, message, this.#challenge(request, 'invalid_token'))
      case 'unavailable':
        return new RefusedError(503, message, { headers: { 'retry-after': '5' } })
    }
  }

  #challenge(
    request: IncomingMessage,
    error?: string,
    scopes: readonly string[] = this.#settings.resourceMetadata.scopesSupported,
  ): { readonly headers: Readonly<Record<string, string>> } {
    const { jwt } = this.#settings
    const { pathname, origin } = new URL(this.#resource(request, pathOf(request)))
    const parts = [
      ...(error === undefined ? [] : [`error="${error}"`]),
      ...(jwt.length === 0 ? [] : [`resource_metadata="${origin}${METADATA_PATH}${pathname}"`]),
      ...(scopes.length === 0 ? [] : [`scope="${scopes.join(' ')}"`]),
    ]
    return { headers: { 'www-authenticate': ['Bearer', parts.join(', ')].join(' ').trim() } }
  }

  /** What is asked for, where that is not all there is: clients get tokens for what they connect to (RFC 8707). */
  #part(request: IncomingMessage): Part | undefined {
    const path = pathOf(request)
    if (!path.startsWith(`${this.#path}/`)) return undefined
    return { resource: this.#resource(request, path), whole: this.#resource(request, this.#path) }
  }

  /** The address of what is at a path, as clients know it. */
  #resource(request: IncomingMessage, path: string): string {
    const { resource } = this.#settings.resourceMetadata
    const isBelow = path.startsWith(`${this.#path}/`)
    if (resource !== undefined) {
      return resource.replace(/\/$/, '') + (isBelow ? path.slice(this.#path.length) : '')
    }
    const scheme = originOf(request).isEncrypted ? 'https' : 'http'
    return `${scheme}://${request.headers.host ?? 'localhost'}${isBelow ? path : this.#path}`
  }
}

function pathOf({ url = '/' }: IncomingMessage): string {
  return url.replace(/[?#].*$/, '')
}
