/** Several gateways that share the keys of sessions, and nothing else. */
import { randomBytes } from 'node:crypto'
import type { GatewayConfig, RunningGateway } from './gateway.js'
import { startGateway } from './gateway.js'

export interface Replicas extends AsyncDisposable {
  readonly gateways: readonly RunningGateway[]
  /** Where clients connect to the first, the second and so on. */
  readonly urls: readonly string[]
}

export async function startReplicas(count: number, config: GatewayConfig): Promise<Replicas> {
  const sessions = { ...config.sessions, keys: [randomBytes(32).toString('base64')] }
  const gateways = await Promise.all(
    Array.from({ length: count }, () => startGateway({ ...config, sessions })),
  )
  return {
    gateways,
    urls: gateways.map((it) => it.url),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(gateways.map((it) => it.close()))
    },
  }
}

/** `startReplicas` with two. */
export async function startTwo(
  config: GatewayConfig,
): Promise<Replicas & { readonly here: string; readonly there: string }> {
  const replicas = await startReplicas(2, config)
  const [here = '', there = ''] = replicas.urls
  return { ...replicas, here, there }
}
