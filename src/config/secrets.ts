/** What a configuration holds that nobody may be shown. */
import type { Target } from '../../backends/index.js'
import type { Config } from './schema.js'

/** Names of variables and parameters with values to keep, where these were written out. */
const SECRET_NAME = /token|secret|passw|credential|auth|key/i

/** All that came by reference, and what is a secret by its place. */
export function secretsOf(config: Config): readonly string[] {
  const { admin, authentication, sessions, store, substituted, targets, telemetry } = config
  return [
    ...substituted,
    ...(admin === undefined || admin === false ? [] : [admin.token ?? '']),
    store?.redis.password ?? '',
    ...Object.values(telemetry.otlp?.headers ?? {}).flatMap((value) => value.split(' ')),
    ...authentication.apiKeys.map(({ key }) => key ?? ''),
    ...sessions.keys.flatMap((key) =>
      (['base64', 'base64url', 'hex'] as const).map((form) => key.toString(form)),
    ),
    ...targets.flatMap(secretsOfTarget),
  ]
}

function secretsOfTarget({ auth, endpoint, headers }: Target): readonly string[] {
  // The scheme of a credential, such as `Bearer`, is no part of it.
  const shown = Object.values(headers).flatMap((value) => value.split(' '))
  const named: readonly (readonly [string, string])[] =
    endpoint.kind === 'stdio'
      ? Object.entries(endpoint.env)
      : [...new URL(endpoint.url).searchParams]
  return [
    ...shown,
    ...grantSecrets(auth),
    ...named.flatMap(([name, value]) => (SECRET_NAME.test(name) ? [value] : [])),
  ]
}

/** What shows an authorization server who the gateway is. */
function grantSecrets(settings: unknown): readonly string[] {
  if (typeof settings !== 'object' || settings === null) return []
  return Object.entries(settings).flatMap(([name, value]: [string, unknown]) =>
    typeof value === 'string' && /secret|private/i.test(name) ? [value] : grantSecrets(value),
  )
}
