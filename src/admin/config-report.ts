/**
 * `/api/v1/config`: the configuration that is in force, made from what is known to be no secret. What is not named here
 * is not shown; of secrets, and of what may hold one, only that it is there.
 */
import type { Target } from '../../backends/index.js'
import { addressOf, transportOf } from '../reports.js'
import type { Config } from '../config/schema.js'

const SET = '(set)'

export function configReport(config: Config): object {
  const { listen, admin, authentication, authorization, sessions, federation, kubernetes } = config
  const { jwt, apiKeys, mode, resourceMetadata } = authentication
  const { context, namespace, address, clusterDomain } = kubernetes
  const { otlp, traces, metrics, accessLog } = config.telemetry
  const { naming, failureMode, instructions, serverInfo, attribution, single } = federation
  const { tls, host, port, path, legacySse, maxBodyBytes, ...rest } = listen
  const { allowedHosts, allowedOrigins, ipFilter, trustedProxies } = rest
  return {
    listen: {
      host,
      port,
      path,
      legacySse,
      maxBodyBytes,
      allowedHosts,
      allowedOrigins,
      ipFilter,
      trustedProxies,
      tls: tls && { cert: tls.cert, clientCa: tls.clientCa, key: SET },
    },
    admin: admin && { host: admin.host, port: admin.port, token: admin.token && SET },
    targets: config.targets.map(targetShown),
    variations: config.variations,
    selectors: config.selectors.length,
    resources: config.resources.length,
    kubernetes: { context, namespace, address, clusterDomain },
    authentication: {
      mode,
      jwt: jwt.map(({ issuer, audiences, algorithms, jwks, clockSkew }) => {
        const keys = Object.keys(jwks)
        return { issuer, audiences, algorithms, keysFrom: keys, clockSkewMs: clockSkew }
      }),
      apiKeys: apiKeys.map((it) => ({ name: it.name, key: SET })),
      resourceMetadata,
    },
    authorization: { rules: authorization.rules, toolScopes: authorization.toolScopes },
    attributes: config.attributes,
    limits: config.limits,
    store: config.store && SET,
    federation: { naming, failureMode, instructions, serverInfo, attribution, single },
    sessions: {
      keys: sessions.keys.length,
      idleTimeoutMs: sessions.idleTimeoutMs,
      maxAgeMs: sessions.maxAgeMs,
      max: sessions.max,
    },
    telemetry: {
      otlp: otlp && {
        address: new URL(otlp.endpoint).host,
        protocol: otlp.protocol,
        headers: Object.keys(otlp.headers),
      },
      traces,
      metrics,
      accessLog,
    },
  }
}

function targetShown(target: Target): object {
  const { name, prefix, endpoint, era, include, exclude, timeouts, guard, roots } = target
  const { parkCalls, attributes, forward, headers, auth, tls, variant } = target
  return {
    name,
    ...(variant === undefined ? {} : { variant }),
    prefix,
    transport: transportOf(target),
    address: addressOf(target),
    era,
    ...(endpoint.kind === 'stdio'
      ? {
          scope: endpoint.scope,
          arguments: endpoint.args.length,
          env: Object.keys(endpoint.env),
        }
      : {}),
    include,
    exclude,
    timeouts,
    guard,
    roots,
    parkCalls,
    attributes,
    forward,
    headers: Object.keys(headers),
    auth: Object.entries(auth ?? {}).flatMap(([way, it]) => (it === undefined ? [] : [way])),
    tls: tls && Object.keys(tls),
  }
}
